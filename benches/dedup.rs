//! What judging one article costs: signature, look-up and comparison, apart and together, by texts in the window;
//! and the worst cases, which must stay under five milliseconds an article.
//!
//! `cargo bench --bench dedup`. Articles of 350 words are made here, words drawn as in a language: few are
//! frequent, most are rare. The window is filled with random signatures; only look-ups see them.
#![allow(clippy::unwrap_used, reason = "a benchmark that cannot go on stops")]
#![allow(clippy::print_stderr, reason = "the index says what it weighs")]

use std::{
    collections::HashMap,
    hint::black_box,
    sync::{Arc, LazyLock, Mutex},
};

use divan::Bencher;
use newsfold::{
    dedup::{
        Engine, Index, Options, Query, Scope, Side, Signature, Text,
        engine::{Arrival, Furniture},
        tokens::tokenize,
        verify,
    },
    model::{FeedId, Fingerprint, TextId, Timestamp},
};

fn main() {
    divan::main();
}

const WORDS: usize = 350;
/// Passages that a text of [`WORDS`] words has.
const PASSAGES: usize = 52;

struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn share(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }
}

fn word(mut rank: u64) -> String {
    let mut word = String::new();
    rank += 3;
    while rank > 0 {
        word.push(char::from(b"bcdfghklmnprstvz"[(rank % 16) as usize]));
        word.push(char::from(b"aeiou"[(rank / 16 % 5) as usize]));
        rank /= 80;
    }
    word
}

fn body(random: &mut Random) -> String {
    let mut body = String::new();
    for at in 0..WORDS {
        let mut next = word(30_000_f64.powf(random.share()) as u64);
        if at % 18 == 0 {
            next[..1].make_ascii_uppercase();
            body.push_str(if at == 0 { "" } else { ". " });
        } else {
            body.push(' ');
        }
        if random.next().is_multiple_of(12) {
            next = (random.next() % 3000).to_string();
        }
        body.push_str(&next);
    }
    body
}

/// Bodies, and a copy of each with some words exchanged.
static BODIES: LazyLock<Vec<[String; 2]>> = LazyLock::new(|| {
    let mut random = Random(88_172_645_463_325_252);
    (0..500).map(|_| body(&mut random)).map(|body| [body.replace(" ba ", " be "), body]).collect()
});

fn text(at: usize) -> [Text<'static>; 2] {
    let [copy, body] = &BODIES[at % BODIES.len()];
    [copy, body].map(|body| Text { title: &body[..60], body })
}

fn side(text: Text<'static>, feed: i64) -> Side<'static> {
    Side::new(text, FeedId(feed), Timestamp::MIN)
}

const QUERY: Query = Query { feed: FeedId(1), scope: Scope::All, since: Timestamp::MIN };

/// An index of so many random texts, made once.
fn index(texts: i64) -> Arc<Index> {
    static MADE: LazyLock<Mutex<HashMap<i64, Arc<Index>>>> = LazyLock::new(Mutex::default);
    let mut made = MADE.lock().unwrap();
    let fill = || {
        let mut random = Random(0x9e37_79b9_7f4a_7c15);
        let mut index = Index::new();
        for id in 1..=texts {
            let mut passages: Vec<u32> = (0..PASSAGES).map(|_| random.next() as u32).collect();
            passages.sort_unstable();
            let signature = Signature {
                fingerprint: Fingerprint(random.next()),
                headline: random.next(),
                passages: passages.into(),
                tokens: WORDS as u32,
                words: None,
            };
            index.insert(TextId(id), FeedId(id % 1000), Timestamp::MIN, &signature);
        }
        eprintln!("{texts} texts: {} bytes each", index.memory_bytes() / texts as usize);
        Arc::new(index)
    };
    made.entry(texts).or_insert_with(fill).clone()
}

/// A counter that walks through the bodies.
fn walk() -> impl FnMut() -> usize {
    let mut at = 0;
    move || {
        at += 1;
        at
    }
}

#[divan::bench]
fn tokens(bencher: Bencher<'_, '_>) {
    let mut into = Vec::new();
    bencher.with_inputs(walk()).bench_local_values(|at| tokenize(text(at)[1].body, &mut into));
}

#[divan::bench]
fn signature(bencher: Bencher<'_, '_>) {
    bencher.with_inputs(walk()).bench_local_values(|at| Signature::of(&text(at)[1]));
}

/// One comparison with a copy, the other text tokenised anew.
#[divan::bench]
fn compare(bencher: Bencher<'_, '_>) {
    let options = Options::default();
    bencher
        .with_inputs({
            let mut next = walk();
            move || text(next())
        })
        .bench_local_values(|[copy, body]| {
            verify(&side(body, 1), &side(copy, 2), &options).is_duplicate
        });
}

#[divan::bench(args = [10_000, 100_000, 1_000_000])]
fn look_up(bencher: Bencher<'_, '_>, texts: i64) {
    let index = index(texts);
    bencher
        .with_inputs({
            let mut next = walk();
            move || Signature::of(&text(next())[1])
        })
        .bench_local_values(|signature| index.candidates(&signature, &QUERY));
}

/// All that one article costs: signature, look-up, one comparison.
#[divan::bench(args = [10_000, 100_000, 1_000_000])]
fn judge(bencher: Bencher<'_, '_>, texts: i64) {
    let (index, options) = (index(texts), Options::default());
    bencher
        .with_inputs({
            let mut next = walk();
            move || text(next())
        })
        .bench_local_values(|[copy, body]| {
            let article = side(body, 1);
            black_box(index.candidates(&article.signature(), &QUERY));
            verify(&article, &side(copy, 2), &options).is_duplicate
        });
}

/// Kinds of flood: 10,000 articles of which each resembles all others.
#[derive(Clone, Copy, Debug)]
enum Flood {
    Template,
    CommonSentence,
    Empty,
}

fn arrival(flood: Flood, at: u64, random: &mut Random) -> Arrival {
    let common = "The quick harbour report is compiled each hour by the office of the port from \
        readings of its own and is passed on without warranty of any kind to all subscribers. ";
    let (title, body) = match flood {
        Flood::Empty => ("Photo of the day in our town".to_owned(), String::new()),
        Flood::CommonSentence => (
            format!("{} {} {}", word(at), word(at * 7), word(at * 31)),
            format!("{common}{}", body(random)),
        ),
        Flood::Template => {
            let mut numbers = || random.next() % 10_000;
            let line = |name: &str, now: u64, then: u64| {
                format!(
                    "Shares of {name} closed at {now} after {then} the day before, the exchange said. "
                )
            };
            let body = ["Alder", "Birch", "Cedar", "Doric", "Elmet", "Fagus", "Gorse", "Hazel"]
                .map(|name| line(name, numbers(), numbers()))
                .concat();
            ("Stocks at the close of trading".to_owned(), body)
        }
    };
    Arrival { feed: FeedId(1 + at as i64 % 7), title, body, at: Timestamp::MIN }
}

/// One article more after 10,000 of the flood.
#[divan::bench(args = [Flood::Template, Flood::CommonSentence, Flood::Empty], sample_count = 20)]
fn worst_case(bencher: Bencher<'_, '_>, flood: Flood) {
    let mut random = Random(0x1234_5678_9abc_def1);
    let mut engine = Engine::new(Options::default(), Furniture::NONE);
    for at in 0..10_000 {
        engine.judge(arrival(flood, at, &mut random));
    }
    let mut at = 10_000;
    bencher
        .with_inputs(|| {
            at += 1;
            arrival(flood, at, &mut random)
        })
        .bench_local_values(|arrival| engine.judge(arrival).duplicate_of);
}
