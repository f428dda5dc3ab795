use proptest::prelude::*;

use super::*;
use crate::model::{Markup, RawText};

fn read(xml: &str) -> ParsedFeed {
    read_bytes(xml.as_bytes()).unwrap()
}

fn read_bytes(bytes: &[u8]) -> Result<ParsedFeed, Error> {
    read_known(bytes, &Known::default())
}

fn read_known(bytes: &[u8], known: &Known) -> Result<ParsedFeed, Error> {
    let url = "https://example.com/dir/feed.xml".to_owned();
    let document = Document { bytes: bytes.to_vec(), content_type: None, url };
    parse(&document, known, &Limits::default())
}

fn item(inside: &str) -> crate::model::Entry {
    let feed = read(&format!("<rss version='2.0'><channel><item>{inside}</item></channel></rss>"));
    feed.entries.into_iter().next().unwrap()
}

fn atom(inside: &str) -> crate::model::Entry {
    let feed =
        read(&format!("<feed xmlns='http://www.w3.org/2005/Atom'><entry>{inside}</entry></feed>"));
    feed.entries.into_iter().next().unwrap()
}

#[test]
fn the_feed_describes_itself() {
    let feed = read(
        "<rss version='2.0' xmlns:sy='http://purl.org/rss/1.0/modules/syndication/'
           xmlns:atom='http://www.w3.org/2005/Atom'
           xmlns:itunes='http://www.itunes.com/dtds/podcast-1.0.dtd'><channel>
         <title>Example &amp;amp; Sons</title><link>/</link><language>en-GB</language><ttl>60</ttl>
         <image><title>Logo</title><link>https://example.com/logo</link></image>
         <sy:updatePeriod>hourly</sy:updatePeriod><sy:updateFrequency>2</sy:updateFrequency>
         <skipHours><hour>0</hour><hour>23</hour><hour>24</hour><hour>99</hour></skipHours>
         <skipDays><day>Monday</day><day>Sunday</day></skipDays>
         <atom:link rel='self' href='https://example.com/feed'/>
         <atom:link rel='hub' href='https://hub.example.com/'/>
         <itunes:new-feed-url>https://example.org/new</itunes:new-feed-url></channel></rss>",
    );
    assert_eq!(feed.format, "rss 2.0");
    assert_eq!(feed.title.as_deref(), Some("Example & Sons"));
    assert_eq!(feed.site_url.as_deref(), Some("https://example.com/"));
    assert_eq!(feed.language.as_deref(), Some("en-GB"));
    assert_eq!(feed.hints.min_interval_seconds, Some(3_600));
    assert_eq!(feed.hints.skip_hours, 1 | 1 << 23);
    assert_eq!(feed.hints.skip_days, 0b100_0001);
    assert_eq!(feed.hubs, ["https://hub.example.com/"]);
    assert_eq!(feed.new_feed_url.as_deref(), Some("https://example.org/new"));
}

#[test]
fn identity_is_the_publishers_or_none() {
    for (inside, guid, url) in [
        (
            "<guid>https://example.com/1</guid>",
            Some("https://example.com/1"),
            Some("https://example.com/1"),
        ),
        (
            "<guid isPermaLink='false'>https://example.com/1</guid>",
            Some("https://example.com/1"),
            None,
        ),
        ("<guid> 17 </guid><link>/17</link>", Some("17"), Some("https://example.com/17")),
        ("<link>/17</link>", None, Some("https://example.com/17")),
        ("<title>x</title>", None, None),
        ("<guid></guid><dc:identifier>doi:1</dc:identifier>", Some("doi:1"), None),
        (
            "<atom:link rel='self' href='/self'/><link>/page</link>",
            None,
            Some("https://example.com/page"),
        ),
    ] {
        let entry = item(inside);
        assert_eq!((entry.guid.as_deref(), entry.url.as_deref()), (guid, url), "{inside}");
    }
    for (inside, guid, url) in [
        ("<id>tag:example.com,2026:1</id>", Some("tag:example.com,2026:1"), None),
        (
            "<link rel='edit' href='/e'/><link type='application/pdf' href='/p'/><link href='/h'/>",
            None,
            Some("https://example.com/h"),
        ),
        ("<content src='/video' type='video/mp4'/>", None, Some("https://example.com/video")),
    ] {
        let entry = atom(inside);
        assert_eq!((entry.guid.as_deref(), entry.url.as_deref()), (guid, url), "{inside}");
    }
}

#[test]
fn texts_keep_what_their_type_says() {
    let cases = [
        (item("<title>a &amp;lt; b</title>"), "a &lt; b", Markup::Html),
        (item("<title><![CDATA[<b>a</b> &amp; b]]></title>"), "<b>a</b> &amp; b", Markup::Html),
        (atom("<title>a &lt; b</title>"), "a < b", Markup::Plain),
        (atom("<title type='text'>AT&amp;T</title>"), "AT&T", Markup::Plain),
        (atom("<title type='html'>AT&amp;amp;T</title>"), "AT&amp;T", Markup::Html),
        (
            atom("<title type='xhtml'><div>a <b>b</b></div></title>"),
            "<div>a <b>b</b></div>",
            Markup::Html,
        ),
        (atom("<title type='application/octet-stream'>YSBiIGM=</title>"), "a b c", Markup::Html),
        (atom("<title mode='base64' type='text/plain'>YSBiIGM=</title>"), "a b c", Markup::Plain),
        (item("<title>a &lt;script> b</title>"), "a &lt;script> b", Markup::Html),
        (
            item("<title>&lt;Script>a&lt;/script> &lt;titled> &lt;style> b</title>"),
            "<Script>a</script> <titled> &lt;style> b",
            Markup::Html,
        ),
    ];
    for (entry, value, markup) in cases {
        assert_eq!(entry.title, Some(RawText { value: value.to_owned(), markup }));
    }
    let entry = item(
        "<description>short</description><content:encoded><![CDATA[<p>long</p>]]></content:encoded>",
    );
    assert_eq!(entry.summary.unwrap().value, "short");
    assert_eq!(entry.content.unwrap().value, "<p>long</p>");
    let entry = atom("<content type='image/png'>iVBORw0KGgo=</content><summary>s</summary>");
    assert_eq!(entry.content, None);
    let entry = atom("<content type='application/json'>{\"a\": \"b &lt; c\"}</content>");
    let value = "{\"a\": \"b < c\"}".to_owned();
    assert_eq!(entry.content, Some(RawText { value, markup: Markup::Plain }));
}

#[test]
fn the_best_date_that_can_be_read_is_taken() {
    let read = |entry: &crate::model::Entry| {
        let at = |date: &Option<crate::model::RawDate>| date.as_ref()?.at.map(|at| at.to_string());
        (at(&entry.published), at(&entry.updated))
    };
    let day = |day: &str| Some(format!("2026-11-{day}T00:00:00Z"));
    for (inside, published, updated) in [
        ("<pubDate>2026-11-01</pubDate><dc:date>2026-11-02</dc:date>", day("01"), None),
        ("<pubDate>soon</pubDate><dc:date>2026-11-02</dc:date>", day("02"), None),
        ("<dcterms:modified>2026-11-03</dcterms:modified>", None, day("03")),
        (
            "<pubDate>2026-11-01</pubDate><atom:updated>2026-11-04</atom:updated>",
            day("01"),
            day("04"),
        ),
        ("<pubDate>soon</pubDate>", None, None),
    ] {
        assert_eq!(read(&item(inside)), (published, updated), "{inside}");
    }
    assert_eq!(item("<pubDate>soon</pubDate>").published.unwrap().raw, "soon");
}

#[test]
fn what_has_no_column_lands_in_extras() {
    let entry = item(
        "<link>/1</link><enclosure url='/a.mp3' length='12' type='audio/mpeg'/><comments>/1#c</comments>
         <wfw:commentRss>/1/feed</wfw:commentRss><slash:comments>7</slash:comments>
         <source url='https://other.example/feed'>Other</source><category>a  b</category><dc:subject>c</dc:subject>
         <category>c</category><dc:creator>Jane Roe</dc:creator><author>jane@example.com (Jane Roe)</author>
         <feedburner:origLink>https://example.com/real</feedburner:origLink><dc:language>de</dc:language>
         <media:group><media:title type='odd'>Clip</media:title><media:content url='/v.mp4' type='video/mp4'/>
         <media:thumbnail url='/t.png'/></media:group><itunes:duration>1:02:03</itunes:duration>",
    );
    assert_eq!(entry.tags, ["a b", "c"]);
    assert_eq!(entry.authors, ["Jane Roe"]);
    assert_eq!(entry.original_url.as_deref(), Some("https://example.com/real"));
    assert_eq!(entry.language.as_deref(), Some("de"));
    let extras = serde_json::Value::Object(entry.extras);
    assert_eq!(extras["enclosures"][0]["url"], "https://example.com/a.mp3");
    assert_eq!(extras["comments_url"], "https://example.com/1#c");
    assert_eq!(extras["comments_feed"], "https://example.com/1/feed");
    assert_eq!(extras["comments_count"], 7);
    assert_eq!(extras["source"]["title"], "Other");
    assert_eq!(extras["media"][0]["title"], "Clip");
    assert_eq!(extras["media"][0]["contents"][0]["url"], "https://example.com/v.mp4");
    assert_eq!(extras["media"][0]["thumbnails"][0], "https://example.com/t.png");
    assert_eq!(extras["duration_s"], 3_723);
}

#[test]
fn an_atom_entry_without_author_has_its_feeds() {
    let feed = read(
        "<feed xmlns='http://www.w3.org/2005/Atom'><author><name>A</name></author>
         <entry><title>x</title></entry><entry><author><name>B</name></author></entry></feed>",
    );
    let authors: Vec<_> = feed.entries.iter().map(|entry| entry.authors.join(",")).collect();
    assert_eq!(authors, ["A", "B"]);
}

#[test]
fn values_that_make_feed_rs_panic_do_no_harm() {
    for duration in ["9999999999999999999999999", "١٢٣", "99999999999999:00:00"] {
        let entry = item(&format!(
            "<title>x</title><category>a</category><itunes:duration>{duration}</itunes:duration>"
        ));
        assert_eq!(entry.title.unwrap().value, "x");
        assert_eq!(entry.tags, ["a"]);
    }
}

#[test]
fn every_format_is_told_by_its_root() {
    let entry = "<item><title>x</title></item>";
    for (document, format) in [
        (format!("<rss version='0.91'><channel>{entry}</channel></rss>"), "rss 0.91"),
        (format!("<rss><channel>{entry}</channel></rss>"), "rss"),
        (format!("<rss version='7.x'><channel>{entry}</channel></rss>"), "rss 7.x"),
        (
            format!(
                "<rdf:RDF xmlns:rdf='http://www.w3.org/1999/02/22-rdf-syntax-ns#' xmlns='http://purl.org/rss/1.0/'>{entry}</rdf:RDF>"
            ),
            "rss 1.0",
        ),
        (
            format!("<rdf:RDF xmlns='http://my.netscape.com/rdf/simple/0.9/'>{entry}</rdf:RDF>"),
            "rss 0.90",
        ),
        (
            format!("<Channel xmlns='http://purl.org/net/rss1.1#'><items>{entry}</items></Channel>"),
            "rss 1.1",
        ),
        (
            "<feed version='0.3' xmlns='http://purl.org/atom/ns#'><entry><title>x</title></entry></feed>".into(),
            "atom 0.3",
        ),
        (
            "<feed xmlns='http://www.w3.org/2005/Atom'><entry><title>x</title></entry></feed>".into(),
            "atom 1.0",
        ),
        (
            "<CHANNEL BASE='https://example.org/' HREF='https://example.com/'><ITEM HREF='/x'><TITLE>x</TITLE></ITEM></CHANNEL>".into(),
            "cdf",
        ),
        (format!("<channel>{entry}</channel>"), "rss"),
        (entry.to_owned(), "rss"),
        (
            r#"{"version":"https://jsonfeed.org/version/1.1","items":[{"id":1,"title":"x"}]}"#.into(),
            "json feed 1.1",
        ),
        (r#"{"items":[{"id":"1","title":"x"}]}"#.into(), "json feed"),
    ] {
        let feed = read(&document);
        assert_eq!(feed.format, format, "{document}");
        assert_eq!(feed.entries[0].title.as_ref().unwrap().value, "x", "{document}");
    }
}

#[test]
fn json_feeds_are_read_leniently() {
    let feed = read(
        r#"{"version":1,"title":"T","home_page_url":"https://example.com","authors":[{"name":"A"}],
        "hubs":[{"type":"WebSub","url":"https://hub.example.com/"}],"items":[
        {"id":7,"url":"/7","content_text":"x","tags":"one","date_published":"2026-11-24T10:15:00+01:00"},
        {"id":"8","external_url":"https://example.org/8","content_html":"<p>y</p>","author":"B","tags":["a",1]},
        "odd", {"id":["9"],"title":null}]}"#,
    );
    assert_eq!(feed.entries.len(), 3);
    let (first, second) = (&feed.entries[0], &feed.entries[1]);
    assert_eq!(first.guid.as_deref(), Some("7"));
    assert_eq!(first.url.as_deref(), Some("https://example.com/7"));
    assert_eq!(first.tags, ["one"]);
    assert_eq!(first.authors, ["A"]);
    assert_eq!(first.content.as_ref().unwrap().markup, Markup::Plain);
    assert_eq!(first.published.as_ref().unwrap().at.unwrap().to_string(), "2026-11-24T09:15:00Z");
    assert_eq!(second.url.as_deref(), Some("https://example.org/8"));
    assert_eq!(second.authors, ["B"]);
    assert_eq!(feed.hubs, ["https://hub.example.com/"]);
    let cut = read(
        r#"{"version":"https://jsonfeed.org/version/1","items":[{"id":"1","title":"x"},{"id":"2","ti"#,
    );
    assert_eq!(cut.entries.len(), 2);
    assert_eq!(cut.repairs.len(), 1);
}

#[test]
fn known_entries_are_listed_and_not_read() {
    let document = |second: &str| {
        format!(
            "<rss version='2.0'><channel><title>{second}</title><item><guid>1</guid></item><item><guid>{second}</guid></item></channel></rss>"
        )
    };
    let first = read(&document("2"));
    let known = Known {
        raw_hashes: first.entries.iter().map(|entry| entry.raw_hash).collect(),
        ..Known::default()
    };
    let again = read_known(document("2").as_bytes(), &known).unwrap();
    assert!(again.entries.is_empty());
    assert_eq!(again.unchanged, [first.entries[0].raw_hash, first.entries[1].raw_hash]);
    let changed = read_known(document("3").as_bytes(), &known).unwrap();
    assert_eq!(changed.entries.len(), 1);
    assert_eq!(changed.entries[0].guid.as_deref(), Some("3"));
    let json = br#"{"items":[{"id":"1","title":"x"}]}"#;
    let first = read_bytes(json).unwrap();
    let known = Known { raw_hashes: [first.entries[0].raw_hash].into(), ..Known::default() };
    assert_eq!(read_known(json, &known).unwrap().unchanged.len(), 1);
}

#[test]
fn what_is_no_feed_is_refused_by_name() {
    let kind = |bytes: &[u8]| read_bytes(bytes).unwrap_err().kind();
    assert_eq!(kind(b""), "empty");
    assert_eq!(kind(b" \n\0 "), "empty");
    assert_eq!(kind(b"hello"), "not_a_feed");
    assert_eq!(kind(b"{\"a\":1}"), "not_a_feed");
    assert_eq!(kind(b"[1]"), "not_a_feed");
    assert_eq!(kind(b"<opml><body><outline/></body></opml>"), "not_a_feed");
    let page = b"<!DOCTYPE html><html><head><link rel='alternate' type='application/atom+xml' href='/f'></head><feed>x</feed></html>";
    let error = read_bytes(page).unwrap_err();
    assert_eq!(
        error.to_string(),
        "not a feed but a web page; it names these feeds: https://example.com/f"
    );
}

#[test]
fn hostile_documents_are_refused_or_bounded() {
    let million = format!("<rss><channel>{}</channel></rss>", "<item/>".repeat(1_000_000));
    assert_eq!(read_bytes(million.as_bytes()).unwrap_err().kind(), "too_many_entries");
    let million = format!("{{\"items\":[{}0]}}", "0,".repeat(1_000_000));
    assert_eq!(read_bytes(million.as_bytes()).unwrap_err().kind(), "too_many_entries");
    let inside = format!("<rss><channel><item><a>{}", "<item/>".repeat(1_000_000));
    assert_eq!(read_bytes(inside.as_bytes()).unwrap_err().kind(), "too_many_entries");
    let tags = format!("<rss><channel>{}</channel></rss>", "<a>".repeat(2_100_000));
    assert_eq!(read_bytes(tags.as_bytes()).unwrap_err().kind(), "too_many_nodes");

    let deep = format!("<title>t</title><description>{}x", "<div>".repeat(65_000));
    let feed = read(&format!(
        "<rss><channel><item>{deep}</item><item><title>u</title></item></channel></rss>"
    ));
    assert_eq!(feed.entries.len(), 2);
    assert_eq!(feed.entries[0].title.as_ref().unwrap().value, "t");
    assert!(feed.repairs[0].contains("nested deeper"), "{:?}", feed.repairs);

    let wide = format!("<item><title a='{}'>t</title></item>", "x".repeat(16 << 20));
    assert_eq!(read(&format!("<rss>{wide}</rss>")).entries[0].title.as_ref().unwrap().value, "t");
    let brackets = format!("{{\"items\":{}", "[".repeat(1_000_000));
    assert!(read_bytes(brackets.as_bytes()).is_ok());
}

#[test]
fn nested_entries_take_linear_time() {
    let document = |items: String| {
        format!("<rss version='2.0'><channel><title>T</title>{items}</channel></rss>")
    };
    for items in [
        "<item><x:y>".to_owned() + &"<item><a/>".repeat(20_000),
        "<q:item xmlns:q='http://purl.org/rss/1.0/'><t/>".repeat(10_000),
        "<item><a>".repeat(20_000),
        "<item><sx:y>".repeat(20_000) + &"</sx:y></item>".repeat(20_000),
        "<item><a>".to_owned() + &"<b><item/></b>".repeat(20_000),
        "<item>".to_owned() + &"<a></channel></a></x:item><channel></channel>".repeat(20_000),
    ] {
        let start = std::time::Instant::now();
        let _ = read_bytes(document(items).as_bytes());
        assert!(start.elapsed().as_secs() < 20, "{:?}", start.elapsed());
    }
}

#[test]
fn an_empty_default_namespace_is_the_feeds_own() {
    let feed = read(
        "<rss version='2.0'><channel xmlns=''><title>T</title><item xmlns=''><title xmlns=''>A</title><guid>1</guid></item></channel></rss>",
    );
    assert_eq!(feed.entries.len(), 1);
    assert_eq!(feed.entries[0].title.as_ref().unwrap().value, "A");
}

#[test]
fn an_unknown_default_namespace_is_the_feeds_own() {
    for (before, item, after) in [
        ("<rss version='2.0' xmlns='http://example.org/x'><channel>", "item", "</channel></rss>"),
        ("<rss version='2.0'><channel xmlns='http://example.org/x'>", "item", "</channel></rss>"),
        ("<rss version='2.0'><channel>", "item xmlns='http://example.org/x'", "</channel></rss>"),
        ("<rdf:RDF xmlns='http://example.org/x'>", "item", "</rdf:RDF>"),
        (
            "<y:feed xmlns:y='http://example.org/x' xmlns='http://example.org/y'>",
            "y:entry",
            "</y:feed>",
        ),
    ] {
        let name = item.split(' ').next().unwrap();
        let prefix = name.split_once(':').map_or("", |(prefix, _)| &item[..=prefix.len()]);
        let title = |title: &str| format!("<{prefix}title>{title}</{prefix}title>");
        let feed = read(&format!("{before}{}<{item}>{}</{name}>{after}", title("T"), title("A")));
        let titles: Vec<_> =
            feed.entries.iter().filter_map(|entry| Some(&entry.title.as_ref()?.value)).collect();
        assert_eq!(titles, ["A"], "{before}{item}");
        assert!(before.starts_with("<rdf") || feed.title.as_deref() == Some("T"), "{before}");
    }
}

#[test]
fn entries_in_the_content_of_an_entry_are_part_of_it() {
    let feed = read(
        "<feed xmlns='http://www.w3.org/2005/Atom'><entry><title>A</title>
         <content type='xhtml'><div>see <entry><title>B</title></entry></div></content>
         <link href='/a'/></entry><entry><title>C</title></entry></feed>",
    );
    let titles: Vec<_> =
        feed.entries.iter().map(|entry| entry.title.as_ref().unwrap().value.as_str()).collect();
    assert_eq!(titles, ["A", "C"]);
    assert_eq!(feed.entries[0].url.as_deref(), Some("https://example.com/a"));
}

#[test]
fn a_key_that_stands_twice_costs_no_item() {
    let feed = read_bytes(
        br#"{"version":"https://jsonfeed.org/version/1","items":[{"id":"1","title":"a","title":"b"},{"id":"2"}]}"#,
    )
    .unwrap();
    let ids: Vec<_> = feed.entries.iter().map(|entry| entry.guid.as_deref()).collect();
    assert_eq!(ids, [Some("1"), Some("2")]);
}

#[test]
fn json_feeds_of_odd_shapes_are_read() {
    let one = r#"{"id":"1","title":"a","authors":"A","tags":"x, y"}"#;
    for items in [
        format!("[{one}]"),
        one.to_owned(),
        format!(r#"{{"0":{one}}}"#),
        format!(r#"{{"item":[{one}]}}"#),
        r#"[{"id":["1"],"title":{"rendered":"a"},"author":["A"],"tags":[{"name":"x"},"y"]}]"#
            .into(),
    ] {
        let feed = read(&format!(r#"{{"hubs":["https://h.example/"],"items":{items}}}"#));
        assert_eq!(feed.entries.len(), 1, "{items}");
        assert_eq!(feed.entries[0].guid.as_deref(), Some("1"), "{items}");
        assert_eq!(feed.entries[0].title.as_ref().unwrap().value, "a", "{items}");
        assert_eq!(feed.entries[0].authors, ["A"], "{items}");
        assert_eq!(feed.entries[0].tags, ["x", "y"], "{items}");
        assert_eq!(feed.hubs, ["https://h.example/"]);
    }
    let feed = read(r#"{"items":{"a":{"id":"1"},"b":{"id":"2"}}}"#);
    assert_eq!(feed.entries.len(), 2);
    for items in ["null", "[]", "{}"] {
        let text = format!(r#"{{"version":"https://jsonfeed.org/version/1","items":{items}}}"#);
        assert!(read(&text).entries.is_empty());
    }
    let error = read_bytes(br#"{"version":"https://jsonfeed.org/version/1"}"#).unwrap_err();
    assert_eq!(error.kind(), "not_a_feed");
    let many: String = (0..60_000).map(|number| format!(r#""{number}":0,"#)).collect();
    let error = read_bytes(format!(r#"{{"items":{{{many}"x":0}}}}"#).as_bytes()).unwrap_err();
    assert_eq!(error.kind(), "too_many_entries");
}

#[test]
fn a_broken_json_item_costs_no_other() {
    let item = |number: usize| {
        format!(
            r#"{{"id":"{number}","title":"Title {number}","content_html":"<p class=\"a\">Text, {{x}}</p>","authors":[{{"name":"A"}}],"tags":["a","b"]}}"#
        )
    };
    let sound = item(2);
    for (from, to) in [
        ("Title 2", r#"He said "hello", and "went""#),
        (r#"\"a\""#, r#""a""#),
        (r#"\"a\">Text"#, r#""a" b="c">So "x", "y": z, "t": true"#),
        (r#"\"a\""#, r#"'{"a":"b","c":{"d":1}}'"#),
        (r#""2","#, r#""2" "#),
        (r#""2","#, r#""2""#),
        (r#"}]"#, r#"}}]"#),
        (r#""b"]}"#, r#""b"]"#),
        (r#""b"]}"#, r#""b"}"#),
        (r#""b"]}"#, r#""b"]}}"#),
        (r#""b"]}"#, r#""b"]]}"#),
        (r#"{"id""#, r#""id""#),
        (r#""2","#, "\"2\",\n"),
        (r#"Title 2","#, r#"Title 2,"#),
    ] {
        let broken = sound.replacen(from, to, 1);
        assert_ne!(broken, sound, "{from}");
        let feed = read(&format!(
            r#"{{"version":"https://jsonfeed.org/version/1.1","title":"T","items":[{},{broken},{},{}]}} junk {{"#,
            item(1),
            item(3),
            item(4)
        ));
        let ids: Vec<_> = feed.entries.iter().filter_map(|entry| entry.guid.as_deref()).collect();
        assert_eq!(ids, ["1", "2", "3", "4"], "{broken}");
        assert_eq!(feed.title.as_deref(), Some("T"), "{broken}");
    }
}

#[test]
fn json_values_that_serde_refuses_are_read() {
    let feed = read_bytes(
        br#"{"version":"https://jsonfeed.org/version/1","items":[{"id":123456789012345678901,"title":"a \ud83d b"},{"id":123456789012345678902}]}"#,
    )
    .unwrap();
    let ids: Vec<_> = feed.entries.iter().map(|entry| entry.guid.as_deref()).collect();
    assert_eq!(ids, [Some("123456789012345678901"), Some("123456789012345678902")]);
    let title = &feed.entries[0].title.as_ref().unwrap().value;
    assert!(title.starts_with("a ") && title.ends_with(" b"), "{title:?}");
}

#[test]
fn a_billion_laughs_stay_unheard() {
    let mut dtd = String::from("<!DOCTYPE rss [<!ENTITY l0 \"lol\">");
    for level in 1..10 {
        dtd.push_str(&format!("<!ENTITY l{level} \"{}\">", format!("&l{};", level - 1).repeat(10)));
    }
    let feed = read(&format!(
        "{dtd}]><rss><channel><item><title>&l9; &l0;</title></item></channel></rss>"
    ));
    assert_eq!(feed.entries[0].title.as_ref().unwrap().value, "&l9; lol");
    let big = format!(
        "<!DOCTYPE rss [<!ENTITY a \"{}\">]><rss><item><title>{}</title></item></rss>",
        "x".repeat(1_000),
        "&a;".repeat(100_000)
    );
    let feed = read(&big);
    assert!(feed.entries[0].title.as_ref().unwrap().value.len() < 2_000_000);
    assert!(feed.repairs[0].contains("expand too far"), "{:?}", feed.repairs);
}

/// What small elements can grow into, counted: people, links and tags of one entry, and relative links on a
/// long base.
#[test]
fn lists_do_not_grow_with_the_hostility_of_a_document() {
    let many = |element: &str| {
        let feed =
            read(&format!("<rss><channel><item>{}</item></channel></rss>", element.repeat(20_000)));
        feed.entries.into_iter().next().unwrap()
    };
    assert!(many("<author>a</author><author>b</author>").authors.len() <= 64);
    assert!(many("<category>a</category>").tags.len() <= 64);
    let entry = many("<enclosure url='a'/><link rel='via' href='b'/>");
    assert!(entry.extras["enclosures"].as_array().unwrap().len() <= 64);
    assert!(many("<media:content url='a'/>").extras.len() <= 1);
    let files = "<link rel='enclosure' href='/f'/>".repeat(100);
    assert_eq!(
        atom(&format!("{files}<link href='/page'/>")).url.as_deref(),
        Some("https://example.com/page")
    );
    let base = format!("https://example.com/{}/", "x".repeat(100_000));
    let feed = read(&format!(
        "<rss xml:base='{base}'><channel><item><link>a</link></item></channel></rss>"
    ));
    assert!(feed.entries[0].url.as_ref().unwrap().len() < 100);
}

fn pieces() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "<item>",
        "</item>",
        "<entry>",
        "</entry>",
        "<rss version='2.0'>",
        "</rss>",
        "<channel>",
        "</channel>",
        "<feed xmlns='http://www.w3.org/2005/Atom'>",
        "</feed>",
        "<title>",
        "</title>",
        "<link>",
        "</link>",
        "<link href='/x' rel=\"alternate\"/>",
        "<guid>",
        "</guid>",
        "<description>",
        "</description>",
        "<![CDATA[",
        "]]>",
        "<!--",
        "-->",
        "<?xml ",
        "?>",
        "<!DOCTYPE x [",
        "<!ENTITY a \"b\">",
        "]>",
        "&amp;",
        "&",
        "&#",
        "&a;",
        "<",
        ">",
        "\"",
        "'",
        "=",
        "é",
        "\u{feff}",
        "\0",
        " ",
        "x",
        "https://example.com/",
        "2026-11-24",
        "12:00",
        "<media:content url='/m' ",
        "<media:group>",
        "<itunes:duration>",
        "99999999999999999999",
        "{",
        "}",
        "[",
        "]",
        "\"items\":",
        "\"id\":",
        ",",
        "<a:entry xmlns:a='http://www.w3.org/2005/Atom'>",
        "</a:entry>",
        "<x:y>",
        "</x:y>",
        "xmlns=''",
        "type='xhtml'",
        "<div>",
        "</div>",
        "+",
        "-",
        "Nov",
        "am",
    ]);
    prop::collection::vec(piece, 0..60).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = read_bytes(&bytes);
    }

    #[test]
    fn no_markup_makes_it_panic_and_entries_are_counted_once(text in pieces()) {
        if let Ok(feed) = read_bytes(text.as_bytes()) {
            let known = Known {
                raw_hashes: feed.entries.iter().map(|entry| entry.raw_hash).collect(),
                ..Known::default()
            };
            let again = read_known(text.as_bytes(), &known).unwrap();
            prop_assert!(again.entries.is_empty());
            prop_assert_eq!(again.unchanged.len(), feed.entries.len());
            for entry in &feed.entries {
                prop_assert!(entry.url.as_deref().is_none_or(links::is_http));
            }
        }
    }

    /// Whatever happens inside one entry, and to its end tag, the others are there.
    #[test]
    fn one_bad_entry_costs_no_other(
        which in 0usize..5,
        (from, length) in (0usize..120, 0usize..60),
        inserted in pieces(),
        is_end_lost in any::<bool>(),
    ) {
        let entry = |number: usize| {
            format!(
                "<title>Title {number}</title><link>https://example.com/{number}</link>\
                 <description><![CDATA[<p>Text {number} & more]]></description><guid>guid-{number}</guid>"
            )
        };
        let mut document = String::from("<rss version='2.0'><channel><title>Feed</title>");
        for number in 0..5 {
            let mut inside = entry(number);
            if number == which {
                let to = (from + length).min(inside.len());
                inside.replace_range(from.min(to)..to, &inserted);
            }
            let end = if number == which && is_end_lost { "" } else { "</item>" };
            document.push_str(&format!("<item>{inside}{end}\n"));
        }
        document.push_str("</channel></rss>");
        let feed = read_bytes(document.as_bytes()).unwrap();
        for number in (0..5).filter(|number| *number != which) {
            let guid = format!("guid-{number}");
            let found = feed.entries.iter().filter(|entry| entry.guid.as_deref() == Some(&guid)).count();
            prop_assert!(found == 1, "{guid} is missing: {document}");
        }
    }

    #[test]
    fn no_text_makes_a_date_panic(text in "[0-9TZa-z:+. /-]{0,30}|\\PC{0,40}") {
        let _ = dates::parse(&text);
    }
}
