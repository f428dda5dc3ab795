use super::*;

fn read(xml: &str) -> ParsedFeed {
    read_bytes(xml.as_bytes()).unwrap()
}

fn read_bytes(bytes: &[u8]) -> Result<ParsedFeed, Error> {
    let document = Document {
        bytes: bytes.to_vec(),
        content_type: None,
        url: "https://example.com/feed.xml".into(),
    };
    parse(&document, &Known::default(), &Limits::default())
}

#[test]
fn a_plain_rss_feed_is_read() {
    let feed = read(
        "<rss version='2.0'><channel><title>Example</title><link>https://example.com/</link><ttl>60</ttl>
         <item><title>One</title><link>/1</link><guid isPermaLink='false'>1</guid><category>a</category>
         <pubDate>Tue, 24 Nov 2026 09:15:00 GMT</pubDate><description>&lt;p>x&lt;/p></description></item>
         </channel></rss>",
    );
    assert_eq!(feed.format, "rss 2.0");
    assert_eq!(feed.title.as_deref(), Some("Example"));
    assert_eq!(feed.hints.min_interval_seconds, Some(3_600));
    let entry = &feed.entries[0];
    assert_eq!(entry.guid.as_deref(), Some("1"));
    assert_eq!(entry.url.as_deref(), Some("https://example.com/1"));
    assert_eq!(entry.tags, ["a"]);
    assert_eq!(entry.published.as_ref().unwrap().at.unwrap().to_string(), "2026-11-24T09:15:00Z");
    assert_eq!(entry.summary.as_ref().unwrap().value, "<p>x</p>");
}
