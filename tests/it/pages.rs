//! Articles out of web pages: written pages in ten languages to the letter, real ones above written floors, hostile
//! ones within bounds.

use std::{
    collections::{HashMap, HashSet},
    fs,
    io::Read,
    path::{Path, PathBuf},
    time::Instant,
};

use flate2::read::GzDecoder;
use newsfold::normalize::{
    FeedContext, Options, Page, normalize_page,
    page::{Refused, Refused::*},
};
use serde_json::Value;

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/pages")
}

fn page(html: &str, url: &str) -> Result<Page, Refused> {
    let furniture = HashSet::new();
    let feed = FeedContext { title: None, site_url: None, language: None, furniture: &furniture };
    normalize_page(html, url, None, &feed, &Options::default())
}

fn fixture(name: &str) -> Result<Page, Refused> {
    let read = |ending: &str| fs::read_to_string(fixtures().join(format!("{name}.{ending}")));
    page(&read("html").unwrap(), read("url").unwrap().trim())
}

#[test]
fn written_pages_give_their_articles() {
    let mut names: Vec<String> = fs::read_dir(fixtures())
        .unwrap()
        .filter_map(|entry| {
            Some(entry.unwrap().file_name().to_str()?.strip_suffix(".txt")?.to_owned())
        })
        .collect();
    names.sort();
    let mut wrong = Vec::new();
    for name in &names {
        let expected = fs::read_to_string(fixtures().join(format!("{name}.txt"))).unwrap();
        let got = fixture(name).map(|page| page.body).unwrap_or_default();
        if got != expected.trim_end() {
            wrong.push(name);
            println!("{name}:\n{}", differences(expected.trim_end(), &got));
        }
    }
    assert!(names.len() >= 10 && wrong.is_empty(), "{wrong:?} of {}", names.len());
}

/// The lines that only one of two texts has.
fn differences(expected: &str, got: &str) -> String {
    let lines = |text: &str| text.lines().map(str::to_owned).collect::<HashSet<_>>();
    let [(wanted, there)] = [(lines(expected), lines(got))];
    let missing = expected.lines().filter(|line| !there.contains(*line));
    let missing = missing.map(|line| format!("  - {line}\n"));
    let surplus = got.lines().filter(|line| !wanted.contains(*line));
    missing.chain(surplus.map(|line| format!("  + {line}\n"))).collect()
}

#[test]
fn pages_without_an_article_say_why() {
    for (name, expected) in [
        ("refused-paywall", Paywall),
        ("refused-consent", Consent),
        ("refused-404", ErrorPage),
        ("refused-challenge", ErrorPage),
    ] {
        assert_eq!(fixture(name).map(|page| page.body), Err(expected), "{name}");
    }
}

#[test]
fn what_an_extractor_garbles_is_read_from_the_page() {
    let [voted, dredger, ferries] = [
        "The board voted on Tuesday to dredge the inner basin, for the first time since the great storm.",
        "A dredger from the north is to arrive within the week and will work by night until the spring.",
        "Ferries to the islands leave from the outer quay for as long as the work in the basin goes on.",
    ];
    let html = format!(
        "<html><head><title>Harbour</title></head><body><article><h1>Harbour</h1><p>{voted}</p><p><strong>First</strong>\
         <br><strong><a href=\"/x\">second</a> line</strong><br><strong>third</strong> line</p><p>{dredger}</p><p>A study \
         (<x-source kind=\"1\"><a href=\"/1\">2</a></x-source>) says so.</p><p>{ferries}</p></article></body></html>"
    );
    let body = page(&html, "https://news.example/1").unwrap().body;
    let expected = format!(
        "{voted}\n\nFirst\nsecond line\nthird line\n\n{dredger}\n\nA study (2) says so.\n\n{ferries}"
    );
    assert_eq!(body, expected);
}

#[test]
fn what_is_called_a_box_and_holds_the_article_stays() {
    let sentences: Vec<String> = (0..6)
        .map(|n| format!("In the month number {n} of the year the harbour board met {} times and decided nothing at all about the basin.", n + 2))
        .collect();
    let text: String = sentences.iter().map(|sentence| format!("<p>{sentence}</p>")).collect();
    let body = |inner: &str| {
        let html = format!(
            "<html><head><title>Harbour board</title></head><body><main><article><h1>Harbour board</h1>{inner}</article></main>\
             <footer><p>The Gazette is printed on the quay since 1871.</p></footer></body></html>"
        );
        page(&html, "https://news.example/1").map(|page| page.body).unwrap_or_default()
    };
    let all = sentences.join("\n\n");
    for name in ["sponsored-content", "newsletter", "rail", "article-promo"] {
        assert_eq!(body(&format!("<div class='{name}'>{text}</div>")), all, "{name}");
    }
    // A phrase is no box, a subheading no standfirst.
    let marked =
        text.replace("harbour board", "<em class='tooltip'>harbour</em> <b class='cta'>board</b>");
    assert_eq!(body(&marked), all);
    let subheading =
        text.replacen("</p><p>", "</p><h2 class='subhead'>What comes next for the port</h2><p>", 1);
    assert!(body(&subheading).contains("What comes next"), "{}", body(&subheading));
}

#[test]
fn lines_that_share_most_of_their_words_are_all_kept() {
    let places = ["Arkle Bay", "Millgate", "Port Ellery", "The Downs", "Holm", "Sund", "Varde"];
    let warning = |place: &&str| {
        format!(
            "{place}: yellow warning of wind, gusts of up to 100 km/h, from 1 pm on Monday until 8 am on Tuesday."
        )
    };
    let lines: Vec<String> = places.iter().map(warning).collect();
    let text: String = lines.iter().map(|line| format!("<p>{line}</p>")).collect();
    let html = format!(
        "<html><head><title>Warnings</title></head><body><article><h1>Warnings</h1>{text}</article></body></html>"
    );
    let body = page(&html, "https://news.example/1").unwrap().body;
    let missing: Vec<&String> = lines.iter().filter(|line| !body.contains(*line)).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn hostile_pages_take_linear_time() {
    let text = "<p>The board voted on Tuesday to dredge the inner basin, for the first time since the great storm.</p>";
    for (name, body) in [
        ("nested divs", "<div>".repeat(5_000) + text),
        ("breaks", text.to_owned() + &"<br>".repeat(10_000) + text),
        (
            "one paragraph",
            format!("<p>{}</p>", "All work and no play makes a dull day. ".repeat(13_000)),
        ),
        ("one text", text.repeat(2_000)),
        ("short lines", "<p>ab</p>".repeat(10_000) + text),
        ("links", text.to_owned() + &"<p><a href='/x'>More of this here</a></p>".repeat(4_000)),
        ("open heads", "<header><h1>A headline".repeat(2_000)),
        ("open boxes", "<div class='newsletter share'>".repeat(2_000) + text),
        ("headlines", "<h1>A headline of it</h1>".repeat(3_000) + text),
        ("long class", format!("<div class='{}'>{text}", "a-b-c ".repeat(50_000))),
        ("own elements", "<x-y>".repeat(3_000) + text),
    ] {
        let html = format!("<html><head><title>Harbour</title></head><body>{body}</body></html>");
        let start = Instant::now();
        let got = page(&html, "https://news.example/1");
        // A twentieth of the sizes that a release build is measured with (docs/bodies.md); what is quadratic shows.
        assert!(start.elapsed().as_secs() < 20, "{name} took {:?}", start.elapsed());
        assert!(
            got.is_ok_and(|page| page.body.len() <= html.len()) || name == "open heads",
            "{name}"
        );
    }
}

/// Of two texts, the counts of the runs of four words that both, only the second, only the first hold; they sum to 1.
fn overlap(expected: &str, got: &str) -> [f64; 3] {
    let runs = |text: &str| {
        let words: Vec<&str> = text
            .split(|c: char| !c.is_alphanumeric() && c != '_')
            .filter(|word| !word.is_empty())
            .collect();
        let mut counts: HashMap<Vec<&str>, usize> = HashMap::new();
        for at in 0..words.len().saturating_sub(3).max(usize::from(!words.is_empty())) {
            *counts.entry(words[at..(at + 4).min(words.len())].to_vec()).or_default() += 1;
        }
        counts.into_iter().map(|(run, count)| (run.join(" "), count)).collect::<HashMap<_, _>>()
    };
    let (expected, got) = (runs(expected), runs(got));
    let both: usize =
        got.iter().map(|(run, count)| count.min(expected.get(run).unwrap_or(&0))).sum();
    let [more, fewer] = [&got, &expected].map(|of| of.values().sum::<usize>() - both);
    let all = (both + more + fewer).max(1) as f64;
    [both as f64 / all, more as f64 / all, fewer as f64 / all]
}

/// The measure of the article-extraction-benchmark of scrapinghub: precision and recall of each page, averaged.
#[test]
fn real_pages_stay_above_the_floors() {
    let Some(data) = std::env::var_os("NEWSFOLD_DATA") else {
        eprintln!("skipped: NEWSFOLD_DATA is not set");
        return;
    };
    let folder = Path::new(&data).join("pages");
    let truth: HashMap<String, Value> =
        serde_json::from_reader(fs::File::open(folder.join("ground-truth.json")).unwrap()).unwrap();
    let (mut precision, mut recall) = ((0.0, 0), (0.0, 0));
    for (id, truth) in &truth {
        let mut html = String::new();
        let file = fs::File::open(folder.join(format!("html/{id}.html.gz"))).unwrap();
        GzDecoder::new(file).read_to_string(&mut html).unwrap();
        let got = page(&html, truth["url"].as_str().unwrap()).map(|page| page.body);
        let expected = truth["articleBody"].as_str().unwrap();
        let [both, more, fewer] = overlap(expected, &got.unwrap_or_default());
        if both + more > 0.0 {
            precision = (precision.0 + both / (both + more), precision.1 + 1);
        }
        if both + fewer > 0.0 {
            recall = (recall.0 + both / (both + fewer), recall.1 + 1);
        }
    }
    let [precision, recall] = [precision, recall].map(|(sum, count)| sum / f64::from(count));
    let f1 = 2.0 * precision * recall / (precision + recall);
    println!("{} pages: F1 {f1:.3}, precision {precision:.3}, recall {recall:.3}", truth.len());
    assert!(
        f1 >= 0.965 && precision >= 0.95 && recall >= 0.955,
        "{f1:.3} {precision:.3} {recall:.3}"
    );
}
