use super::*;
use crate::{model::Markup, normalize::html};

#[test]
fn whole_lines_are_furniture_and_sentences_that_hold_their_words_are_not() {
    for (text, kind) in [
        ("Read also: The town that lives from herring", Some("related")),
        ("Follow us on Facebook, Instagram and X", Some("follow")),
        ("Follow the coast road north and you reach the only basin.", None),
        ("“Follow us on Facebook,” the boys shouted", None),
        ("12 comments", Some("comments")),
        ("(c) 2026 Harbour Gazette", Some("copyright")),
        ("dpa/lno", Some("agency")),
        ("Facebook Twitter WhatsApp", Some("share")),
        ("The post office appeared first on the list of closures", None),
        ("Photo: Jo Marsh/Getty Images", Some("photo")),
        ("Share | Tweet | Email", None),
    ] {
        assert_eq!(kind_of_line(text, ""), kind, "{text}");
    }
}

#[test]
fn a_phrase_with_the_headline_is_furniture() {
    assert_eq!(
        kind_of_line("Continue reading Harbour closes, at last", "Harbour closes, at last"),
        Some("read_more")
    );
}

#[test]
fn what_a_pattern_leaves_open_is_guarded() {
    for (text, kind) in [
        // A few words within one clause.
        ("Download our app", Some("app")),
        ("Try this app before you buy a ticket, the operator tells tourists.", None),
        ("Following the crash, for instance, trains were late.", None),
        ("Follow us on Facebook, X and Instagram for the latest news", Some("follow")),
        ("Like Google, Facebook pays little tax to Ireland.", None),
        // A site or a date and nothing behind.
        ("Originally published on Harbour Gazette.", Some("first_published")),
        ("First published in 1605, Don Quixote changed the novel.", None),
        ("The report was first published in The Lancet in 1998 and retracted in 2010.", None),
        ("Updated: 4 May 2026, 11:30 pm GMT", Some("first_published")),
        ("Updated 2024 figures show a fall in crime.", None),
        ("4 min read", Some("reading_time")),
        ("全文耗时3分钟念完。", None),
        // A label and what is joined to it.
        ("文／丸山慎", Some("reporters")),
        ("文部科学省", None),
        // A subject.
        ("This website uses cookies.", Some("cookie")),
        ("A fortune cookie shop burned down on Monday.", None),
        ("Durch die Nutzung von Windkraft sinkt der Strompreis.", None),
        ("При въезде в город движение грузовиков запрещено.", None),
        ("Die Regierung hat die Demonstration verboten.", None),
        ("Чтобы получать пенсию, нужно проработать 15 лет.", None),
        ("The player is unavailable for Saturday’s match, the club said.", None),
    ] {
        assert_eq!(kind_of_line(text, ""), kind, "{text}");
    }
}

#[test]
fn a_label_may_have_another_sign_than_a_colon() {
    for (text, kind) in [
        ("Lire aussi | Ce que la nouvelle ligne va changer", Some("related")),
        ("LEGGI ANCHE > Che cosa cambia con la nuova linea", Some("related")),
        ("【関連記事】新路線で何が変わるか", Some("related")),
        ("আরো পড়ুনঃ নতুন লাইনে কী বদলাবে", Some("related")),
        ("Image source, Getty Images", Some("photo")),
        ("Trams | 31 | 12", None),
        ("Watch | 40 pounds", None),
    ] {
        assert_eq!(kind_of_line(text, ""), kind, "{text}");
    }
}

#[test]
fn what_ends_the_last_line_is_cut_call_by_call() {
    let told = "The board voted on Tuesday to dredge the basin, the harbour office said.";
    for (end, left) in [
        ("[...] Read more | Share on Facebook", ""),
        ("… Continue reading", ""),
        ("... Read more", ""),
        ("Nobody knows how deep it is ...", " Nobody knows how deep it is ..."),
        ("Trams | 31 | 12", " Trams | 31 | 12"),
    ] {
        let mut body = html::lines(&format!("<p>{told} {end}</p>"), Markup::Html);
        cut_phrases(&mut body, "", &mut Cuts::default());
        assert_eq!(body.render(), format!("{told}{left}"), "{end}");
    }
}
