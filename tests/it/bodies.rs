//! Bodies as a careful editor would leave them: labelled headline copies and furniture, with written floors.

use std::{collections::HashSet, fs};

use newsfold::{
    model::{Article, Entry, Markup, RawText, Timestamp},
    normalize::{FeedContext, Options, normalize},
};
use serde_json::Value;

fn read(path: &str) -> String {
    fs::read_to_string(format!("{}/tests/fixtures/{path}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

fn read_lines(path: &str) -> Vec<Value> {
    read(path)
        .lines()
        .filter(|line| !line.is_empty())
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

fn html(value: &str) -> RawText {
    RawText { value: value.to_owned(), markup: Markup::Html }
}

fn article(title: &str, content: &str, site: Option<&str>) -> Article {
    let furniture = HashSet::new();
    let feed = FeedContext { title: site, site_url: None, language: None, furniture: &furniture };
    let entry =
        Entry { title: Some(html(title)), content: Some(html(content)), ..Entry::default() };
    normalize(&entry, &feed, &Options::default(), Timestamp::MIN)
}

#[test]
fn headline_copies_go_and_nothing_else_does() {
    let (mut right, mut due, mut wrong) = (0, 0, Vec::new());
    for case in read_lines("headline/cases.jsonl") {
        let text = |name: &str| case[name].as_str().unwrap();
        let got = article(text("title"), text("html"), case["site"].as_str());
        let is_right = got.body == text("expect");
        let must_stay = text("kind").starts_with("stay");
        due += u32::from(!must_stay);
        right += u32::from(!must_stay && is_right);
        let is_wrong_cut = !is_right && got.body.len() < text("expect").len();
        if !is_right {
            println!(
                "{} {}\n  title {}\n  html  {}\n  got   {:?}\n  want  {:?}",
                if is_wrong_cut { "WRONG" } else { "missed" },
                text("id"),
                text("title"),
                text("html"),
                got.body,
                text("expect")
            );
        }
        if is_wrong_cut || (must_stay && !is_right) {
            wrong.push(format!("{} {}", text("id"), text("kind")));
        }
    }
    println!("headline copies: {right} of {due}, {} wrong", wrong.len());
    assert!(wrong.is_empty(), "wrong cuts: {wrong:#?}");
    assert!(right * 100 >= due * 98, "{right} of {due}");
}

#[test]
fn furniture_goes_and_lines_like_it_stay() {
    let contexts = read("furniture/contexts.json");
    let contexts: Value = serde_json::from_str(&contexts).unwrap();
    let (mut right, mut due, mut wrong, mut missed) = (0, 0, Vec::new(), Vec::new());
    for case in read_lines("furniture/lines.jsonl") {
        let text = |name: &str| case[name].as_str().unwrap();
        let context: Vec<&str> = contexts[text("lang")]
            .as_array()
            .unwrap()
            .iter()
            .map(|p| p.as_str().unwrap())
            .collect();
        let at = match text("position") {
            "first" => 0,
            "middle" => 2,
            _ => context.len(),
        };
        let mut paragraphs = context.clone();
        paragraphs.insert(at, text("line"));
        let content: String = paragraphs.iter().map(|text| format!("<p>{text}</p>")).collect();
        let got = article("Zyx", &content, None);
        if case["cut"] == true {
            due += 1;
            right += u32::from(got.body == context.join("\n\n"));
            if got.body != context.join("\n\n") {
                missed.push(format!("{} {}", text("id"), text("line")));
            }
        } else if got.body != paragraphs.join("\n\n").replace('\u{3000}', " ") {
            wrong.push(format!("{} {}", text("id"), text("line")));
        }
    }
    println!("furniture: {right} of {due}, {} wrong; missed {missed:#?}", wrong.len());
    assert!(wrong.is_empty(), "wrong cuts: {wrong:#?}");
    assert!(right * 100 >= due * 95, "{right} of {due}");
}
