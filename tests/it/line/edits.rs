//! What publishers do to entries between polls: edit, withdraw, bring back, renumber, and carry a fuller text.

use super::{
    super::support::{
        program::Program,
        server::{Reply, Server},
    },
    expect_sound, program, row,
};

const BODY: &str = "The harbour office closed the north pier on Monday because its planks have rotted. Boats land at the fish quay until \
    spring, and the ferry to Holm leaves an hour later than the timetable says. Repairs cost forty thousand crowns, and the council \
    decides about them on the third of December. Fishermen had asked for new planks in two letters since June.";
const MORE: &str = " On Tuesday a diver found that three of the piles are broken as well, so that the pier may have to be built anew. \
    The council called an extraordinary meeting, and the mayor spoke of a bill that the town cannot pay alone. Two boats were moved to \
    the inner basin during the night, and the lifeboat has a berth at the fish quay for the time being. The office asks everybody to \
    keep away from the pier, whose gate was locked with a new chain on Tuesday morning.";

struct Item<'a> {
    guid: &'a str,
    slug: &'a str,
    title: &'a str,
    body: &'a str,
}

const PIER: Item<'static> =
    Item { guid: "g-1", slug: "pier", title: "North pier closed", body: BODY };

fn feed(items: &[Item<'_>]) -> Reply {
    let items: String = items
        .iter()
        .map(|Item { guid, slug, title, body }| {
            format!(
                "<item><guid isPermaLink=\"false\">{guid}</guid><link>https://site.example/{slug}</link><title>{title}</title><description>{body}</description>\
                 <pubDate>Mon, 16 Nov 2026 10:15:00 GMT</pubDate></item>"
            )
        })
        .collect();
    Reply::feed(format!("<rss version=\"2.0\"><channel><title>Site</title>{items}</channel></rss>"))
}

/// Serves one document after the other and polls each. The last poll's `new|revised|duplicates`.
fn poll_each(server: &Server, program: &Program, path: &str, documents: Vec<Reply>) -> Vec<String> {
    for document in documents {
        server.always(path, document);
        program.run(&["once", "--all", path]).expect(0);
    }
    program.sqlite("SELECT new, revised, duplicates FROM polls ORDER BY id")
}

#[test]
fn an_edited_entry_is_a_revision_named_by_what_was_edited() {
    let server = Server::start();
    let program = program(&server, &["/a"]);
    let typo = BODY.replace("timetable", "timetabel");
    let longer = format!("{BODY}{MORE}");
    let polls = poll_each(
        &server,
        &program,
        "/a",
        vec![
            feed(&[Item { body: &typo, ..PIER }]),
            feed(&[PIER]),
            feed(&[Item { title: "Holm ferry an hour late", ..PIER }]),
            feed(&[Item { title: "Holm ferry an hour late", body: &longer, ..PIER }]),
            feed(&[Item { title: "Holm ferry an hour late", body: &longer, ..PIER }]),
        ],
    );
    assert_eq!(polls, ["1|0|0", "0|1|0", "0|1|0", "0|1|0", "0|0|0"]);
    assert_eq!(
        program.sqlite("SELECT revision, change FROM revisions ORDER BY 1"),
        ["1|cosmetic", "2|headline", "3|substantive"]
    );
    assert_eq!(
        row(&program, "SELECT id, title, body, revision FROM articles"),
        format!("1|Holm ferry an hour late|{longer}|4")
    );
    assert_eq!(
        row(&program, "SELECT change_id FROM articles"),
        "3",
        "the cosmetic edit is told to nobody"
    );
    let search = "SELECT count(*) FROM article_fts WHERE article_fts MATCH";
    assert_eq!(row(&program, &format!("{search} 'diver'")), "1");
    assert_eq!(row(&program, &format!("{search} 'timetabel'")), "0");
    expect_sound(&program);
}

#[test]
fn an_entry_that_leaves_and_returns_is_the_same() {
    let server = Server::start();
    let program = program(&server, &["/a"]);
    let other = Item {
        guid: "g-2",
        slug: "choir",
        title: "Choir looks for tenors",
        body: "The choir of Saint Brannoc looks for two tenors who can read music and come on Thursdays.",
    };
    let both = || feed(&[PIER, Item { ..other }]);
    let polls = poll_each(
        &server,
        &program,
        "/a",
        vec![both(), feed(&[Item { ..other }]), both(), feed(&[]), both()],
    );
    assert_eq!(polls, ["2|0|0", "0|0|0", "0|0|0", "0|0|0", "0|0|0"]);
    assert_eq!(row(&program, "SELECT count(*), sum(listed) FROM entries"), "2|2");
}

#[test]
fn guids_that_change_at_every_poll_make_nothing_new() {
    let server = Server::start();
    let program = program(&server, &["/a"]);
    let other = "The choir of Saint Brannoc looks for two tenors who can read music and come on Thursdays after the market.";
    let documents = (0..4)
        .map(|poll| {
            let (one, two) = (format!("session-{poll}-1"), format!("session-{poll}-2"));
            feed(&[
                Item { guid: &one, ..PIER },
                Item { guid: &two, slug: "choir", title: "Tenors", body: other },
            ])
        })
        .collect();
    let polls = poll_each(&server, &program, "/a", documents);
    assert_eq!(polls, ["2|0|0", "0|0|0", "0|0|0", "0|0|0"]);
    assert_eq!(row(&program, "SELECT guids FROM feed_health"), "worthless");
}

#[test]
fn a_fuller_copy_lends_its_text_and_unfold_takes_it_back() {
    let server = Server::start();
    let program = program(&server, &["/a", "/b"]);
    let longer = format!("{BODY}{MORE}");
    poll_each(&server, &program, "/a", vec![feed(&[PIER])]);
    let fuller =
        || feed(&[Item { guid: "b-1", slug: "b", title: "North pier closed", body: &longer }]);
    let polls = poll_each(&server, &program, "/b", vec![fuller()]);
    assert_eq!(polls, ["1|0|0", "0|0|1"]);
    let article =
        "SELECT a.id, f.name, a.guid, a.url, a.body, a.body_source, a.revision, a.change_id
                   FROM articles AS a JOIN feeds AS f ON f.id = a.feed_id ORDER BY a.id";
    assert_eq!(
        program.sqlite(article),
        [format!("1|/a|g-1|https://site.example/pier|{longer}|copy|2|2")]
    );
    assert_eq!(row(&program, "SELECT change, body FROM revisions"), format!("fuller|{BODY}"));

    program.run(&["unfold", "d1"]).expect(0);
    assert_eq!(
        program.sqlite(article),
        [
            format!("1|/a|g-1|https://site.example/pier|{BODY}|feed|3|3"),
            format!("2|/b|b-1|https://site.example/b|{longer}|feed|1|4")
        ]
    );
    // Neither an edit nor another poll folds that pair again.
    let edited = longer.replace("three of the piles", "five of the piles");
    let again = poll_each(
        &server,
        &program,
        "/b",
        vec![
            fuller(),
            feed(&[Item { guid: "b-1", slug: "b", title: "North pier closed", body: &edited }]),
        ],
    );
    assert_eq!(&again[2..], ["0|0|0", "0|1|0"]);
    assert_eq!(
        row(&program, "SELECT (SELECT count(*) FROM articles), (SELECT count(*) FROM duplicates)"),
        "2|0"
    );
    expect_sound(&program);
}

#[test]
fn an_edited_copy_that_is_none_any_more_becomes_an_article() {
    let server = Server::start();
    let program = program(&server, &["/a", "/b"]);
    poll_each(&server, &program, "/a", vec![feed(&[PIER])]);
    let copy = |title, body| feed(&[Item { guid: "b-1", slug: "b", title, body }]);
    let other = "Two hundred runners from nine towns took part in the dyke race on Sunday; the winner, a postman from Elsin, needed \
        thirty-one minutes, and the oldest of them all, a retired pilot of eighty-four, was carried over the line by his grandsons.";
    let cosmetic = BODY.replace("third of December", "Third of December");
    let polls = poll_each(
        &server,
        &program,
        "/b",
        vec![
            copy("North pier closed", BODY),
            copy("North pier closed", &cosmetic),
            copy("Dyke race won by postman", other),
        ],
    );
    assert_eq!(&polls[1..], ["0|0|1", "0|1|0", "0|1|0"]);
    assert_eq!(
        row(&program, "SELECT (SELECT count(*) FROM articles), (SELECT count(*) FROM duplicates)"),
        "2|0"
    );
    assert_eq!(
        row(&program, "SELECT title FROM articles WHERE id = 2"),
        "Dyke race won by postman"
    );
    expect_sound(&program);
}
