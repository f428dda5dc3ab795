//! What stands in the rows: every column that downstream programs read, filled from one rich entry of each format.

use super::{
    super::support::server::{Reply, Server},
    expect_sound, program, row,
};

const BODY: &str = "<p>The harbour office closed the north pier on Monday because its planks have rotted, and boats land at the fish quay until spring.</p>\
    <p>Repairs cost 40&nbsp;000 crowns; the council decides on 3 December.</p><p>The post Pier closed appeared first on Gazette.</p>";

fn rich_rss() -> String {
    format!(
        "<?xml version=\"1.0\"?><rss version=\"2.0\" xmlns:content=\"http://purl.org/rss/1.0/modules/content/\" xmlns:dc=\"http://purl.org/dc/elements/1.1/\">\
         <channel><title>Gazette</title><link>https://gazette.example/</link><language>en-GB</language><ttl>45</ttl>\
         <item><title>Pier &amp;amp; quay: what is closed | Gazette</title>\
         <link>https://gazette.example/pier?utm_source=rss&amp;id=7</link><guid isPermaLink=\"false\">g-7</guid>\
         <dc:creator>Maren Quist</dc:creator><category>Coast</category><category>Council</category><category>Coast</category>\
         <pubDate>Mon, 16 Nov 2026 10:15:00 +0100</pubDate><comments>https://gazette.example/pier#comments</comments>\
         <enclosure url=\"https://gazette.example/pier.mp3\" length=\"12345\" type=\"audio/mpeg\"/>\
         <description>Planks have rotted.</description><content:encoded><![CDATA[{BODY}]]></content:encoded></item>\
         <item><title>No date</title><link>/relative</link><description>A short note about nothing that has no date.</description></item>\
         <item><title>Tomorrow</title><guid>f-1</guid><pubDate>Fri, 01 Jan 2999 00:00:00 GMT</pubDate><description>An entry from the future.</description></item>\
         </channel></rss>"
    )
}

#[test]
fn every_column_is_filled_from_what_the_publisher_gave() {
    let server = Server::start();
    server.validated(
        "/rss",
        Reply::feed(rich_rss())
            .header("ETag", "\"v1\"")
            .header("Last-Modified", "Mon, 16 Nov 2026 10:20:00 GMT"),
    );
    let program =
        program(&server, &[]).feed_at(&server.url("/rss"), "tags = [\"coast\", \"daily\"]");
    program.run(&["once", "--all"]).expect(0);

    let article = "SELECT guid, url, title, author, tags, language, published_at, published_source, updated_at IS NULL, body_source, revision
                   FROM articles WHERE guid = 'g-7'";
    assert_eq!(
        row(&program, article),
        "g-7|https://gazette.example/pier?id=7|Pier & quay: what is closed|Maren Quist|[\"Coast\",\"Council\"]|en-GB|2026-11-16T09:15:00Z|published|1|feed|1"
    );
    assert_eq!(
        row(&program, "SELECT body FROM articles WHERE guid = 'g-7'"),
        "The harbour office closed the north pier on Monday because its planks have rotted, and boats land at the fish quay until spring.\n\n\
         Repairs cost 40 000 crowns; the council decides on 3 December."
    );
    let more = "SELECT summary, word_count, json_array_length(cuts) > 0, length(fingerprint), evidence <> '{}', change_id > 0,
                       extras LIKE '%pier.mp3%', extras LIKE '%#comments%', first_seen_at > '2026' FROM articles WHERE guid = 'g-7'";
    assert_eq!(row(&program, more), "Planks have rotted.|34|1|16|1|1|1|1|1");
    assert_eq!(
        row(
            &program,
            "SELECT published_at IS NULL, url, guid IS NULL FROM articles WHERE title = 'No date'"
        ),
        format!("1|{}|1", server.url("/relative"))
    );
    assert_eq!(
        row(
            &program,
            "SELECT published_source, published_at = first_seen_at FROM articles WHERE title = 'Tomorrow'"
        ),
        "clamped|1"
    );

    let feed = "SELECT title, site_url, language, tags, format, enabled, etag, last_modified, failures, error IS NULL, next_poll_at > last_poll_at,
                       next_poll_reason <> '', last_success_at = last_poll_at, effective_url = url, claimed_by IS NULL FROM feeds";
    assert_eq!(
        row(&program, feed),
        "Gazette|https://gazette.example/|en-GB|[\"coast\",\"daily\"]|rss 2.0|1|\"v1\"|Mon, 16 Nov 2026 10:20:00 GMT|0|1|1|1|1|1|1"
    );
    let poll = "SELECT outcome, http_status, error_kind IS NULL, body_bytes > 1000, entries, new, revised, duplicates, duration_ms >= 0 FROM polls";
    assert_eq!(row(&program, poll), "changed|200|1|1|3|3|0|0|1");

    program.run(&["once", "--all"]).expect(0);
    let second = "SELECT outcome, http_status, body_bytes, entries, new, revised, duplicates FROM polls WHERE id = 2";
    assert_eq!(row(&program, second), "unchanged|304|0|0|0|0|0");

    assert_eq!(row(&program, "SELECT count(*) FROM latest"), "3");
    assert_eq!(
        row(&program, "SELECT feed, title, url, carriers FROM latest WHERE title LIKE 'Pier%'"),
        "Gazette|Pier & quay: what is closed|https://gazette.example/pier?id=7|1"
    );
    assert_eq!(row(&program, "SELECT state, failures, guids FROM feed_health"), "ok|0|trusted");
    assert_eq!(row(&program, "SELECT count(*) FROM due"), "0");
    let search = "SELECT a.guid FROM article_fts JOIN articles AS a ON a.id = article_fts.rowid WHERE article_fts MATCH 'rotted AND crowns'";
    assert_eq!(row(&program, search), "g-7");
    expect_sound(&program);
}

#[test]
fn each_format_fills_the_same_columns() {
    let server = Server::start();
    let text = "The harbour office closed the north pier on Monday because its planks have rotted.";
    let atom = format!(
        "<feed xmlns=\"http://www.w3.org/2005/Atom\" xml:lang=\"en\"><title>T</title><id>urn:t</id><entry><id>urn:1</id><title>Pier closed</title>\
         <author><name>M. Quist</name></author><link href=\"https://t.example/1\"/><published>2026-11-16T09:15:00Z</published>\
         <updated>2026-11-17T09:15:00Z</updated><category term=\"Coast\"/><content type=\"html\">&lt;p&gt;{text}&lt;/p&gt;</content></entry></feed>"
    );
    let json = format!(
        "{{\"version\":\"https://jsonfeed.org/version/1.1\",\"title\":\"T\",\"language\":\"en\",\"items\":[{{\"id\":\"urn:1\",\"url\":\"https://t.example/1\",\"title\":\"Pier closed\",\
         \"authors\":[{{\"name\":\"M. Quist\"}}],\"date_published\":\"2026-11-16T09:15:00Z\",\"date_modified\":\"2026-11-17T09:15:00Z\",\"tags\":[\"Coast\"],\"content_html\":\"<p>{text}</p>\"}}]}}"
    );
    let rdf = format!(
        "<rdf:RDF xmlns:rdf=\"http://www.w3.org/1999/02/22-rdf-syntax-ns#\" xmlns=\"http://purl.org/rss/1.0/\" xmlns:dc=\"http://purl.org/dc/elements/1.1/\" xmlns:dcterms=\"http://purl.org/dc/terms/\">\
         <channel rdf:about=\"https://t.example/\"><title>T</title><link>https://t.example/</link><dc:language>en</dc:language></channel>\
         <item rdf:about=\"urn:1\"><title>Pier closed</title><link>https://t.example/1</link><dc:creator>M. Quist</dc:creator><dc:subject>Coast</dc:subject>\
         <dc:date>2026-11-16T09:15:00Z</dc:date><dcterms:modified>2026-11-17T09:15:00Z</dcterms:modified><description>&lt;p&gt;{text}&lt;/p&gt;</description></item></rdf:RDF>"
    );
    server.always("/atom", Reply::feed(atom));
    server.always(
        "/json",
        Reply::status(200).header("Content-Type", "application/feed+json").body(json),
    );
    server.always("/rdf", Reply::feed(rdf));
    for path in ["/atom", "/json", "/rdf"] {
        let program = program(&server, &[path]);
        program.run(&["once"]).expect(0);
        let sql = "SELECT guid, url, title, author, tags, language, published_at, updated_at, body FROM articles";
        assert_eq!(
            row(&program, sql),
            format!(
                "urn:1|https://t.example/1|Pier closed|M. Quist|[\"Coast\"]|en|2026-11-16T09:15:00Z|2026-11-17T09:15:00Z|{text}"
            ),
            "{path}"
        );
    }
}
