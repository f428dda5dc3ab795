//! One story of three outlets, in every order of arrival: one article, its headline once, two copies beside it.

use std::{env, fs, path::PathBuf};

use super::{
    super::support::{
        program::Program,
        server::{Reply, Server},
    },
    expect_sound, program, row,
};

/// A story as its first outlet has it.
struct Story {
    headline: &'static str,
    /// The headline of the third outlet.
    rewritten: &'static str,
    paragraphs: Vec<String>,
    /// A name, and how the second outlet spells it.
    spelling: (&'static str, &'static str),
    /// Another story altogether, under the same headline.
    unrelated: &'static str,
}

const OUTLETS: [&str; 3] = ["/herald.rss", "/wire.atom", "/evening.rss"];

#[test]
fn the_seed_article_of_three_outlets_is_one_article_in_every_order() {
    let Some(data) = env::var_os("NEWSFOLD_DATA").map(PathBuf::from) else {
        eprintln!("skipped: NEWSFOLD_DATA is not set");
        return;
    };
    let file = fs::read_dir(data.join("seed")).unwrap().next().unwrap().unwrap().path();
    let text = fs::read_to_string(file).unwrap();
    let headline = "Istanbul to host Ukraine-Russia talks";
    let paragraphs: Vec<String> = text
        .split("\n\n")
        .map(str::trim)
        .filter(|it| !it.is_empty() && *it != headline)
        .map(str::to_owned)
        .collect();
    assert!(paragraphs.len() > 8, "the headline stands on top of {} paragraphs", paragraphs.len());
    in_every_order(&Story {
        headline,
        rewritten: "Ukraine and Russia to meet for talks in Istanbul, Turkey says",
        paragraphs,
        spelling: ("Zelensky", "Zelenskyy"),
        unrelated: UNRELATED,
    });
}

#[test]
fn a_story_of_three_outlets_is_one_article_in_every_order() {
    in_every_order(&Story {
        headline: "Halmstrand to host fishery talks",
        rewritten: "Fishery ministers of three coasts will meet in Halmstrand",
        paragraphs: OURS.iter().map(|&text| text.to_owned()).collect(),
        spelling: ("Oleksiyenko", "Oleksienko"),
        unrelated: UNRELATED,
    });
}

const OURS: [&str; 8] = [
    "Delegations of the three coasts will hold their second round of direct negotiations on herring quotas in Halmstrand, hoping to end a dispute that has kept half of the fleet in port since spring.",
    "The talks will open on Tuesday in the old customs hall, the office of the harbour council announced on Sunday after a telephone call between council leader Maren Oleksiyenko and the minister of the northern coast.",
    "Oleksiyenko told her colleague that a truce at sea and better conditions for the crews were needed before anything else could be settled.",
    "“We are aware of the trust that both sides have placed in our town, and we hope that the meetings bring a lasting agreement,” Oleksiyenko wrote on the council's page.",
    "A member of the southern delegation, Pavel Brandt, had said that the sides would meet on Monday. The northern side then announced Tuesday. Two earlier meetings ended without a result.",
    "Brandt called the resumption of the talks overdue and signalled that his side was willing to speak about the banks off Varn, the most sensitive of all questions, at a later date.",
    "“It is impossible to guard all of that water with boats, and everybody knows what would follow if somebody tried,” he said in a message recorded late on Saturday night.",
    "The council expects some forty delegates and twice as many journalists; the ferries to the islands will run an hour later than usual on both days of the meeting.",
];

const UNRELATED: &str = "A chess club of pensioners has won the regional cup for the first time. Its eldest player, aged ninety-one, beat the \
    favourite in nineteen moves, and the trophy now stands in the window of the bakery whose owner founded the club in 1974. \
    The next season begins in January with a match against the railway workers, who have asked for a return game.";

fn in_every_order(story: &Story) {
    for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
        in_order(story, order);
    }
}

fn in_order(story: &Story, order: [usize; 3]) {
    let server = Server::start();
    server.always(OUTLETS[0], Reply::feed(herald(story, false)));
    server.always(OUTLETS[1], Reply::feed(wire(story)).header("X-Format", "atom"));
    server.always(OUTLETS[2], Reply::feed(evening(story)));
    let program = program(&server, &OUTLETS);
    for outlet in order {
        program.run(&["once", "--all", OUTLETS[outlet]]).expect(0);
    }
    expect_one_article(&program, story, order);

    program.run(&["once", "--all"]).expect(0);
    let rows = "SELECT (SELECT count(*) FROM articles), (SELECT count(*) FROM duplicates), (SELECT count(*) FROM entries)";
    assert_eq!(row(&program, rows), "1|2|3", "a second poll adds nothing ({order:?})");
    let counts = "SELECT sum(new), sum(revised), sum(duplicates) FROM polls WHERE id > 3";
    assert_eq!(row(&program, counts), "0|0|0", "{order:?}");

    server.always(OUTLETS[0], Reply::feed(herald(story, true)));
    program.run(&["once", "--all"]).expect(0);
    assert_eq!(row(&program, rows), "2|2|4", "another story under the same headline ({order:?})");
    expect_sound(&program);
}

#[track_caller]
fn expect_one_article(program: &Program, story: &Story, order: [usize; 3]) {
    assert_eq!(
        row(program, "SELECT count(*) FROM articles"),
        "1",
        "{order:?}: {:#?}",
        program.sqlite("SELECT title, evidence FROM articles")
    );
    let title = row(program, "SELECT title FROM articles");
    assert!([story.headline, story.rewritten].contains(&title.as_str()), "{title}");
    let body = row(program, "SELECT body FROM articles");
    for headline in [story.headline, story.rewritten] {
        assert!(!body.contains(headline), "{order:?}: {body}");
    }
    // The text is whole from its second paragraph to its last words, without what its outlet put around it.
    assert!(body.contains(&story.paragraphs[1][40..100]), "{order:?}: {body}");
    let words: Vec<&str> = story.paragraphs.last().unwrap().split(' ').collect();
    assert!(body.ends_with(&words[words.len() - 6..].join(" ")), "{order:?}: {body}");
    for rubbish in ["<p>", "&amp;", "appeared first on", "Reporting by"] {
        assert!(!body.contains(rubbish), "{rubbish} ({order:?}): {body}");
    }
    let evidence = "SELECT count(*) FROM duplicates WHERE reason IN ('same_headline', 'same_text', 'near_duplicate')
                    AND similarity > 0.4 AND similarity <= 1 AND distance BETWEEN 0 AND 64
                    AND evidence ->> '$.matched.similarity' IS NOT NULL AND json_type(evidence, '$.matched.evidence') = 'object'";
    assert_eq!(
        row(program, evidence),
        "2",
        "{order:?}: {:#?}",
        program.sqlite("SELECT reason, similarity, distance, evidence FROM duplicates")
    );
    let carriers = "SELECT count(*), count(DISTINCT feed), sum(role = 'kept'), sum(role = 'copy') FROM carriers";
    assert_eq!(
        row(program, carriers),
        "3|3|1|2",
        "{:#?}",
        program.sqlite("SELECT * FROM carriers")
    );
    assert_eq!(row(program, "SELECT carriers FROM latest"), "3");
    for id in ["1", "d1", "d2"] {
        let told = program.run(&["explain", id]).expect(0).stdout;
        assert!(told.contains("similarity"), "{told}");
    }
}

/// The headline three times on top.
fn herald(story: &Story, with_unrelated: bool) -> String {
    let headline = story.headline;
    let paragraphs: String =
        story.paragraphs.iter().map(|text| format!("<p>{text}</p>\n")).collect();
    let body =
        format!("<h1>{headline}</h1><h2>{headline}</h2><p><b>{headline}</b></p>{paragraphs}");
    let other = if with_unrelated {
        item(
            headline,
            "herald",
            "2",
            "Wed, 30 Mar 2022 10:00:00 GMT",
            &format!("<p>{}</p>", story.unrelated),
        )
    } else {
        String::new()
    };
    rss(
        "The Herald",
        &(other + &item(headline, "herald", "1", "Mon, 28 Mar 2022 09:00:00 GMT", &body)),
    )
}

/// Another dateline, credit, footer and spelling, two paragraphs cut.
fn wire(story: &Story) -> String {
    let mut paragraphs = story.paragraphs.clone();
    paragraphs.remove(5);
    paragraphs.remove(3);
    paragraphs[0] = format!("HALMSTRAND, March 28 (Coast Wire) - {}", paragraphs[0]);
    paragraphs.push("(Reporting by A. Lind and J. Moe; Editing by T. Holt)".to_owned());
    paragraphs.push("© 2022 Coast Wire. All rights reserved.".to_owned());
    let text: String = paragraphs.iter().map(|text| format!("<p>{text}</p>")).collect();
    let text = text.replace(story.spelling.0, story.spelling.1);
    format!(
        "<?xml version=\"1.0\"?><feed xmlns=\"http://www.w3.org/2005/Atom\"><title>Coast Wire</title><id>urn:wire</id>\
         <entry><id>urn:wire:1</id><title>{}</title><link href=\"https://wire.example/1\"/>\
         <published>2022-03-28T07:30:00+02:00</published><updated>2022-03-28T07:30:00+02:00</updated>\
         <content type=\"html\">{}</content></entry></feed>",
        story.headline,
        escaped(&text)
    )
}

/// A rewritten headline.
fn evening(story: &Story) -> String {
    let paragraphs: String =
        story.paragraphs.iter().map(|text| format!("<p>{text}</p>\n")).collect();
    let body = format!(
        "<p>{}</p>{paragraphs}<p>Read more: The town that lives from herring</p>",
        story.rewritten
    );
    rss(
        "Evening Post",
        &item(story.rewritten, "evening", "77", "Mon, 28 Mar 2022 15:00:00 GMT", &body),
    )
}

fn item(title: &str, site: &str, slug: &str, date: &str, body: &str) -> String {
    format!(
        "<item><title>{}</title><link>https://{site}.example/{slug}</link><guid>{site}-{slug}</guid>\
         <pubDate>{date}</pubDate><description>{}</description></item>",
        escaped(title),
        escaped(body)
    )
}

fn rss(title: &str, items: &str) -> String {
    format!(
        "<?xml version=\"1.0\" encoding=\"utf-8\"?><rss version=\"2.0\"><channel><title>{title}</title>{items}</channel></rss>"
    )
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
