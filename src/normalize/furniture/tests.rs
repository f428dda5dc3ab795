use super::*;

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
