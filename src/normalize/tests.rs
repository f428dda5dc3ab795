//! What holds for every text.

use std::time::Instant;

use proptest::prelude::*;
use unicode_normalization::is_nfc;

use super::*;
use crate::model::RawText;

fn article(title: &str, content: &str) -> Article {
    with_furniture(title, content, &HashSet::new())
}

fn with_furniture(title: &str, content: &str, furniture: &HashSet<u64>) -> Article {
    let text = |value: &str| Some(RawText { value: value.to_owned(), markup: Markup::Html });
    let entry = Entry { title: text(title), content: text(content), ..Entry::default() };
    let feed =
        FeedContext { title: Some("Harbour Gazette"), site_url: None, language: None, furniture };
    normalize(&entry, &feed, &Options::default(), Timestamp::MIN)
}

fn is_clean(text: &str) -> bool {
    is_nfc(text) && !text.chars().any(|c| c.is_control() && c != '\n')
}

/// Pieces that make trouble where they meet.
fn piece() -> impl Strategy<Value = String> {
    prop_oneof![
        8 => "[ -~]{0,12}",
        6 => "\\PC{0,8}",
        4 => proptest::sample::select(vec![
            "<p>", "</p>", "<br>", "<br/>", "<div>", "<b>", "</b>", "<a href='x'>", "</a>", "<ul><li>", "</li></ul>",
            "<pre>", "</pre>", "<table><tr><td>", "</td><td>", "</td></tr></table>", "<script>", "</script>", "<h2>",
            "</h2>", "<!--", "-->", "<![CDATA[", "]]>", "&amp;", "&lt;", "&lt;p&gt;", "&nbsp;", "&#13;", "&#x200b;",
            "[gallery]", "[embed]", "[/embed]", "[caption a=b]", "[", "&", "<", ">", "\n", "\n\n", "\t", "    ", "\r\n", "<sup>2</sup>", "<li>", "<ol start=3>",
        ]).prop_map(str::to_owned),
        3 => proptest::sample::select(vec![
            "Read more", "Harbour closes", "Harbour closes.", "Read also: Silt", "© 2026 Gazette", "[...]", "(Reuters)",
            "The post Harbour closes appeared first on Gazette.", " - ", " | ", "1. ", "- ", "…", "Ã©", "â€™", "\u{301}",
            "\u{200d}", "\u{200f}", "\u{feff}", "\u{85}", "\u{1}", "Advertisement", "Next",
        ]).prop_map(str::to_owned),
    ]
}

fn text() -> impl Strategy<Value = String> {
    proptest::collection::vec(piece(), 0..24).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn normalized_twice_is_normalized_once(title in text(), content in text()) {
        let once = article(&title, &content);
        let twice = article(&once.title, &once.body);
        prop_assert_eq!(&once.title, &twice.title);
        prop_assert_eq!(&once.body, &twice.body, "cuts {:?}", twice.cuts);
    }

    #[test]
    fn texts_are_clean(title in text(), content in text()) {
        let got = article(&title, &content);
        prop_assert!(is_clean(&got.body), "{:?}", got.body);
        prop_assert!(is_clean(&got.title) && !got.title.contains('\n'), "{:?}", got.title);
        prop_assert!(!got.body.contains("<p>") && !got.body.contains("</"), "{:?}", got.body);
        prop_assert_eq!(got.body.trim(), got.body.as_str());
    }
}

#[test]
fn markup_that_means_something_is_read_and_what_means_nothing_goes() {
    for (html, expected) in [
        // Publishing systems' own codes.
        (
            "<p>[caption id=\"a1\" width=\"300\"]<img src=\"a\"> The new pier[/caption]</p><p>It opened.</p>",
            "The new pier\n\nIt opened.",
        ),
        ("<p>It opened.</p>[gallery ids=\"1,2\"]", "It opened."),
        (
            "<p>It opened.</p><p>[embed]https://video.example/1[/embed]</p><p>So it did.</p>",
            "It opened.\n\nSo it did.",
        ),
        ("[vc_row][vc_column width=\"1/2\"]<p>It opened.</p>[/vc_column][/vc_row]", "It opened."),
        (
            "<p>He said [sic] that [video] shows [gallery visitors] and [1] [2].</p>",
            "He said [sic] that [video] shows [gallery visitors] and [1] [2].",
        ),
        ("<p>[<b></b>gallery] stays apart.</p>", "[ gallery] stays apart."),
        ("<p>It opened by <label>itself</label>.</p>", "It opened by itself."),
        // What arranges a page is no table of data.
        (
            "<table><tr><td><h3>One</h3><p>The dog was found.</p></td><td><h3>Two</h3><p>The cat was not.</p></td></tr></table>",
            "One\n\nThe dog was found.\n\nTwo\n\nThe cat was not.",
        ),
        ("<table><tr><td><p>Cork</p></td><td><p>4</p></td></tr></table>", "Cork | 4"),
        // Numbers, notes, formulas.
        ("<ol><li>One</li><li value=\"9\">Nine</li><li>Ten</li></ol>", "1. One\n9. Nine\n10. Ten"),
        (
            "<p>Signed in 1648.<sup><a href=\"#n1\">1</a></sup> It held.</p>",
            "Signed in 1648.¹ It held.",
        ),
        ("<p>So <math><mi>a</mi><mo>+</mo><mi>b</mi></math> it is.</p>", "So a+b it is."),
        ("<p>It opened.</p>]]&gt;", "It opened."),
        // A source wrapped at a column: no spaces where the script has none.
        (
            "<p>市政府周三\n宣布封闭港口，在\nABC 大楼旁。</p>",
            "市政府周三宣布封闭港口，在 ABC 大楼旁。",
        ),
        ("<p>정부는 수요일\n항구를 닫았다.</p>", "정부는 수요일 항구를 닫았다."),
    ] {
        assert_eq!(article("Zyx", html).body, expected, "{html}");
    }
}

#[test]
fn hostile_texts_take_linear_time() {
    for (name, content) in [
        ("nested divs", "<div>".repeat(5_000) + "text"),
        ("breaks", "<br>a".repeat(10_000)),
        ("empty breaks", "<br>".repeat(10_000)),
        ("text", "All work and no play makes a dull day. ".repeat(13_000)),
        ("links", "<a href='https://a.example/'>Read more</a> ".repeat(5_000)),
        ("lines of furniture", "<p>Read more</p>".repeat(5_000)),
        (
            "lines like furniture",
            "<p>the post the post appeared the post appeared first</p>".repeat(5_000),
        ),
        ("open tags", "<".repeat(50_000)),
        ("open comments", "<!--".repeat(15_000)),
        ("references", "&lt;".repeat(25_000)),
        ("hidden", "<div hidden>".repeat(5_000)),
        ("quotes", "<a b=\"".repeat(10_000)),
        ("headlines", "<p>Harbour closes</p>".repeat(2_500)),
        ("open bracket", format!("<p>A story ( begins. {}</p>", "Read more.) ".repeat(20_000))),
    ] {
        let start = Instant::now();
        let got = article("Harbour closes", &content);
        // A twentieth of the sizes that a release build is measured with (docs/bodies.md); what is quadratic shows.
        assert!(start.elapsed().as_secs() < 20, "{name} took {:?}", start.elapsed());
        assert!(got.body.len() <= content.len() * 2, "{name}");
    }
}

#[test]
fn a_long_title_takes_linear_time() {
    for title in ["a — b ".repeat(30_000), "x | ".repeat(30_000)] {
        let start = Instant::now();
        article(&title, "<p>Text.</p>");
        assert!(start.elapsed().as_secs() < 5, "{:?}", start.elapsed());
    }
}

#[test]
fn what_a_feed_repeats_goes_with_guards() {
    let furniture: HashSet<u64> = furniture::units(
        "The Gazette is printed on the quay since 1871\nO wind that blows on the bay\n- bread and butter, flour\n“Silt is silt and nothing else”",
    )
    .collect();
    let body = |content: &str| with_furniture("Title here", content, &furniture).body;
    let text = "<p>The board voted on Tuesday to dredge the inner basin, for the first time since the great storm.</p>";
    let kept = "The board voted on Tuesday to dredge the inner basin, for the first time since the great storm.";
    assert_eq!(body(&format!("{text}<p>The Gazette is printed on the quay since 1871</p>")), kept);
    assert_eq!(
        body(&format!("{text}<p>First line<br>O wind that blows on the bay<br>Last line</p>")),
        format!("{kept}\n\nFirst line\nO wind that blows on the bay\nLast line")
    );
    assert_eq!(
        body(&format!("{text}<p>“Silt is silt and nothing else”</p>")),
        format!("{kept}\n\n“Silt is silt and nothing else”")
    );
    assert_eq!(
        body("<p>The Gazette is printed on the quay since 1871</p>"),
        "The Gazette is printed on the quay since 1871"
    );
}

#[test]
fn copies_of_a_headline_found_in_full_go_too() {
    let short = "La huelga de transbordadores entra en su...";
    let full = "La huelga de transbordadores entra en su segunda semana";
    let text = "Las tripulaciones rechazaron la última oferta salarial.";
    let got = article(
        short,
        &format!(
            "{full}\n\nLas tripulaciones rechazarona huelga de transbordadores entra en su...\n{full}\n\n{text} {text}\n\n{text}"
        ),
    );
    let again = article(&got.title, &got.body);
    assert_eq!((got.title.as_str(), &got.body), (full, &again.body));
}

#[test]
fn a_bold_headline_before_its_text_goes_in_scripts_without_case_too() {
    let rest = "议员们周一晚间表决通过，在车站与旧码头之间修建一条新线路。";
    let title = "市议会批准修建第二条电车线路";
    assert_eq!(article(title, &format!("<p><b>{title}</b>{rest}</p>")).body, rest);
    let bold = format!("<p><b>{title}</b>的决定在周一晚间表决通过，引发争议。</p>");
    assert!(article(title, &bold).body.starts_with(title), "a sentence that goes on");
    let title = "नगर परिषद ने दूसरी ट्राम लाइन को दी मंजूरी";
    let rest = "पार्षदों ने सोमवार रात मतदान किया और काम वसंत में शुरू होगा।";
    assert_eq!(article(title, &format!("<p><b>{title}</b> {rest}</p>")).body, rest);
}

#[test]
fn a_headline_cut_short_is_a_copy_however_it_says_so() {
    let text = "Ferries leave from the outer quay until spring, the board said.";
    for dots in ["…", "...", "[…]", "[...]", " (...)"] {
        let short = format!("The harbour board votes to dredge {dots}");
        let content = format!("<p>{short}</p><p>{text}</p>");
        let got = article("The harbour board votes to dredge the inner basin in May", &content);
        assert_eq!(got.body, text, "{dots}");
    }
}

#[test]
fn a_page_gives_its_text_where_it_is_fuller() {
    let stub = article("Harbour closes", "<p>The harbour closes on Friday.</p>");
    let page = Page {
        body: "The harbour closes on Friday. It opens again in May, the board said.".to_owned(),
        author: Some("Jo Marsh".to_owned()),
        ..Page::default()
    };
    let full = with_page(stub.clone(), page);
    assert_eq!((full.body_source, full.word_count), (BodySource::Page, 13));
    assert_eq!(full.author.as_deref(), Some("Jo Marsh"));
    assert_ne!(full.content_hash, stub.content_hash);
    let same = with_page(full.clone(), Page { body: "Short.".to_owned(), ..Page::default() });
    assert_eq!((same.body, same.body_source), (full.body, BodySource::Page));
}

#[test]
fn markup_becomes_text() {
    for (content, body) in [
        ("<ul><li>One</li><li>Two</li></ul>", "- One\n- Two"),
        ("<ol start=3><li>One<li>Two</ol>", "3. One\n4. Two"),
        ("<table><tr><th>Port<th>Depth<tr><td>Ellery<td>9 m</table>", "Port | Depth\nEllery | 9 m"),
        ("<pre>a = 1\n  b = 2</pre>", "a = 1\n  b = 2"),
        ("<p>Silt,<br>silt,<br>silt</p>", "Silt,\nsilt,\nsilt"),
        ("10<sup>6</sup> m<sup>2</sup>", "10⁶ m²"),
        ("&lt;p&gt;One &amp;amp; two&lt;/p&gt;&lt;p&gt;Three&lt;/p&gt;", "One & two\n\nThree"),
        ("Hy<b>phen</b>ated <i>wo</i>rds", "Hyphenated words"),
        ("<p>DÃ©cidÃ© hier</p>", "Décidé hier"),
        ("<div>One</div><div>Two</div>", "One\n\nTwo"),
        ("One\n\nTwo", "One\n\nTwo"),
        ("<p style='display:none'>x</p><p>Seen</p><script>1<2</script>", "Seen"),
        ("<table width=100%><tr><td><p>One</p><p>Two</p></td></tr></table>", "One\n\nTwo"),
    ] {
        assert_eq!(article("", content).body, body, "{content}");
    }
}

#[test]
fn a_date_that_cannot_be_read_is_kept_as_published() {
    let date = |raw: &str, at: Option<i64>| {
        let at = at.and_then(Timestamp::from_unix_seconds);
        Some(crate::model::RawDate { raw: raw.to_owned(), at })
    };
    let now = Timestamp::from_unix_seconds(1_790_000_000).unwrap();
    let of = |published, updated| {
        let entry = Entry { published, updated, ..Entry::default() };
        let none = HashSet::new();
        let feed = FeedContext { title: None, site_url: None, language: None, furniture: &none };
        let article = normalize(&entry, &feed, &Options::default(), now);
        (article.published_at, serde_json::Value::from(article.extras))
    };
    let readable = date("2026-09-21", Some(1_789_990_000));
    let unreadable = || date("32 Foo 2026", None);
    assert_eq!(
        of(unreadable(), None),
        (None, serde_json::json!({ "published_raw": "32 Foo 2026" }))
    );
    assert_eq!(of(readable, unreadable()).1, serde_json::json!({ "updated_raw": "32 Foo 2026" }));
    let far = date("2036-01-01", Some(2_082_758_400));
    assert_eq!(of(far, None), (Some(now), serde_json::json!({ "published_raw": "2036-01-01" })));
}
