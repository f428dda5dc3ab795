//! Pairs that the rule has to tell apart, or to recognise: one for each of its clauses.

use proptest::prelude::*;

use super::*;
use crate::dedup::sketch::{Sketch, Words};

const NOTES: &str = "Harbour Talk is made by Lena Strand and Ole Varn in the old pilot house. Write to us, send \
    us your recordings, and tell your friends about the programme. Music by the Holm Brass Band. New every Thursday.";

/// A text that is judged: feed, hour, headline, body.
type Item<'a> = (i64, f64, &'a str, &'a str);

fn compare(one: Item<'_>, other: Item<'_>) -> Verification {
    verify(&side(one), &side(other), &Options::default())
}

fn side((feed, hour, title, body): Item<'_>) -> Side<'_> {
    let at = Timestamp::from_unix_seconds(1_790_000_000 + (3600.0 * hour) as i64).unwrap();
    Side::new(Text { title, body }, FeedId(feed), at)
}

#[track_caller]
fn assert_apart(one: Item<'_>, other: Item<'_>, test: Test) {
    for found in [compare(one, other), compare(other, one)] {
        assert_eq!(
            (found.is_duplicate, found.evidence.test),
            (false, test),
            "{:?}",
            found.evidence
        );
    }
}

#[track_caller]
fn assert_copies(one: Item<'_>, other: Item<'_>) {
    for found in [compare(one, other), compare(other, one)] {
        assert!(found.is_duplicate, "{:?}", found.evidence);
    }
}

/// A burglary as a police office writes it, once a night.
fn burglary(town: &str, owner: &str, taken: &str) -> String {
    format!(
        "In der Nacht zum Dienstag sind Unbekannte in eine Bäckerei in {town} eingebrochen. Nach Angaben der Polizei \
         hebelten die Täter gegen drei Uhr die Hintertür auf und durchsuchten den Verkaufsraum. Sie entwendeten {taken}. \
         Inhaber {owner} bemerkte den Einbruch am Morgen und verständigte die Beamten. Die Kriminalpolizei sicherte Spuren \
         und bittet Zeugen, die in der Nacht verdächtige Personen oder Fahrzeuge gesehen haben, sich beim Revier zu melden. \
         Ob ein Zusammenhang mit früheren Taten im Landkreis besteht, wird geprüft. Hinweise nimmt jede Dienststelle an."
    )
}

#[test]
fn a_word_of_the_headline_put_into_a_short_item_is_another_item() {
    let guilty = "A jury in Sund found the nurse Ida Varn guilty on Monday of taking drugs from the ward where she \
        worked. She will be told on Friday what follows.";
    let acquitted = guilty.replace("Varn guilty", "Varn not guilty");
    assert_apart(
        (1, 0.0, "Jury finds nurse guilty", guilty),
        (1, 3.0, "Jury finds nurse not guilty", &acquitted),
        Test::ChangedFacts,
    );
}

#[test]
fn a_short_item_about_a_name_spelt_nearly_alike_is_another_item() {
    let iran = "The foreign ministry has renewed its advice for travellers to Iran. It asks them to keep away from the \
        border and to carry papers at all times.";
    let iraq = iran.replace("Iran", "Iraq");
    assert_apart(
        (1, 0.0, "Travel advice: Iran", iran),
        (2, 0.0, "Travel advice: Iraq", &iraq),
        Test::ChangedFacts,
    );
}

#[test]
fn another_name_in_headline_and_text_is_another_story_of_one_template() {
    let one = burglary("Eislingen", "Karl Maurer", "zweihundert Euro und eine Kaffeemaschine");
    let other = burglary("Uhlbach", "Petra Stoll", "die Ladenkasse");
    assert_apart(
        (1, 0.0, "Einbruch in Bäckerei in Eislingen", &one),
        (2, 3.0, "Einbruch in Bäckerei in Uhlbach", &other),
        Test::OtherSubject,
    );
}

#[test]
fn another_spelling_in_headline_and_text_is_the_same_story() {
    let one = burglary("Tschernihiw", "Wolodymyr Selenskyj", "die Ladenkasse");
    let other = burglary("Tschernihiv", "Volodymyr Zelensky", "die Ladenkasse");
    assert_copies(
        (1, 0.0, "Einbruch bei Selenskyj in Tschernihiw", &one),
        (2, 3.0, "Einbruch bei Zelensky in Tschernihiv", &other),
    );
}

#[test]
fn words_set_apart_in_another_way_are_the_same_words() {
    let one = burglary("Eislingen", "Karl Maurer", "die Laden kasse der Backstube");
    let other = burglary("Eislingen", "Karl Maurer", "die Ladenkasse der Backstube");
    let title = "Einbruch: Ladenkasse weg in Eislingen";
    let found = compare((1, 0.0, title, &one), (2, 1.0, title, &other));
    assert!(found.is_duplicate && found.evidence.facts[1] == 0, "{:?}", found.evidence);
}

#[test]
fn a_round_up_that_names_its_items_is_none_of_them() {
    let ferry = "The ferry Thor ran aground off Holm on Monday with ninety people on board. Nobody was hurt. Tugs \
        pulled her free at high water and she went on to Sund under her own power, the harbour office said.";
    let others = "The council of Bergby passed its budget late in the evening after nine hours of debate, with money for a \
        new school and none for the swimming hall. Three bears were seen near the ski lift at Varde, where the slopes \
        open on Saturday; hunters have been called. And the choir of Holm sings tonight in the old church at seven.";
    assert_apart(
        (1, 0.0, "Ferry runs aground off Holm", ferry),
        (
            2,
            2.0,
            "Ferry runs aground off Holm; Bergby passes budget; three bears near the ski lift; choir sings: the \
            morning briefing",
            &format!("{ferry}\n\n{others}"),
        ),
        Test::Neither,
    );
}

#[test]
fn notes_that_stand_below_every_episode_fold_no_episode() {
    let episodes = ["A winter on the ice breaker", "Knots explained"];
    assert_apart((1, 0.0, episodes[0], NOTES), (1, 9.0, episodes[1], NOTES), Test::Neither);
    let release =
        "Bug fixes and performance improvements. Thanks to everybody who has sent us a report.";
    assert_apart(
        (1, 0.0, "Holm Player for desktop 4.2.1", release),
        (1, 9.0, "Holm Player for desktop 4.2.2", release),
        Test::OtherIssue,
    );
}

#[test]
fn notes_below_other_news_of_another_feed_are_not_what_makes_a_copy() {
    let notes = NOTES.repeat(2);
    let one = format!("Forty below, and the coffee runs out on the third day. {notes}");
    let other = format!("Ole ties a bowline with one hand while Lena keeps time. {notes}");
    assert_apart(
        (1, 0.0, "A winter on the ice breaker", &one),
        (2, 3.0, "Knots explained", &other),
        Test::Neither,
    );
}

#[test]
fn figures_and_names_that_change_places_are_other_facts() {
    let vote = "The council of Sund voted 9 to 6 on Monday evening for the new bridge, after a debate of five hours in \
        which nobody changed a mind. Work begins in spring and takes two years, the mayor said after the meeting.";
    let lost = vote.replace("9 to 6", "6 to 9");
    let title = "Council votes on the new bridge";
    assert_apart((1, 0.0, title, vote), (2, 1.0, title, &lost), Test::ChangedFacts);
    let match_one =
        "Elsin beat Varn on Saturday in the last match of the year, by a goal in added time.";
    let match_other =
        "Varn beat Elsin on Saturday in the last match of the year, by a goal in added time.";
    let title = "Last match of the year in Sund";
    assert_apart((1, 0.0, title, match_one), (2, 1.0, title, match_other), Test::ChangedFacts);
}

#[test]
fn two_headlines_of_a_book_s_length_cost_no_more_than_two_long_ones() {
    let title = |word: &str| (0..60_000).map(|n| format!("{word}{n} ")).collect::<String>();
    let (one, other) = (title("a"), title("b"));
    assert_apart((1, 0.0, &one, NOTES), (1, 30.0, &other, NOTES), Test::Neither);
}

#[test]
fn the_next_issue_of_a_series_comes_a_day_later_to_the_minute_or_without_a_date() {
    let rates = |day: u32, rate: &str| {
        let body = format!(
            "Mortgage rates at the Holm savings bank on {day} November: one year {rate} per cent, five years 4.20 per cent, \
             ten years 4.45 per cent, twenty years 4.80 per cent. The bank reviews its rates every working day at noon and \
             publishes them here. They hold for loans up to eighty per cent of the value of a house, for customers with a \
             salary account, and may change without notice."
        );
        (format!("Mortgage rates on {day} November"), body)
    };
    let (one, other) = (rates(20, "3.95"), rates(21, "3.90"));
    for hours in [24.0, 0.0] {
        assert_apart((1, 0.0, &one.0, &one.1), (1, hours, &other.0, &other.1), Test::ChangedFacts);
    }
}

#[test]
fn below_zero_is_another_figure() {
    let frost = "It will be cold in Holm on Monday, with -5 degrees at dawn and -2 degrees at noon, and snow later.";
    let mild = frost.replace('-', "");
    assert_apart(
        (1, 0.0, "Weather for Holm", frost),
        (1, 9.0, "Weather for Holm", &mild),
        Test::ChangedFacts,
    );
}

#[test]
fn the_headline_alone_decides_where_it_is_the_same_and_not_part_of_another() {
    let (short, long) =
        ("Man dies in crash", "Man hurt and dog dies as woman survives crash in Holm");
    assert_copies((1, 0.0, short, "More soon."), (2, 1.0, short, ""));
    assert_apart((1, 0.0, short, "More soon."), (2, 1.0, long, ""), Test::FewWords);
    let rubric = "Photo of the day in Holm";
    assert_apart(
        (1, 0.0, rubric, "The boat has left."),
        (2, 1.0, rubric, "The fire is out now."),
        Test::FewWords,
    );
}

#[test]
fn a_word_of_a_book_s_length_is_not_compared_letter_by_letter() {
    let words = ["x".repeat(300_000), "x".repeat(299_999) + "y"];
    let title = "A long word in the text";
    assert_apart((1, 0.0, title, &words[0]), (1, 1.0, title, &words[1]), Test::ChangedFacts);
    let body = |word: &str| burglary(word, word, word);
    let bodies = [body(&words[0]), body(&words[1])];
    assert_copies((1, 0.0, title, &bodies[0]), (1, 1.0, title, &bodies[1]));
}

proptest! {
    /// Headlines and bodies out of few words, so that they have much in common.
    #[test]
    fn no_copy_is_passed_over(
        titles in [prop::collection::vec(0_u8..6, 0..6), prop::collection::vec(0_u8..6, 0..6)],
        words in prop::collection::vec(0_u8..30, 0..120),
        from in 0_usize..60,
        length in 0_usize..120,
        feeds in [1_i64..3, 1..3],
    ) {
        let text = |words: &[u8]| words.iter().map(|word| format!("word{word} ")).collect::<String>();
        let part = &words[from.min(words.len())..(from + length).min(words.len())];
        let (whole, part) = (text(&words), text(part));
        let headlines = titles.map(|title| text(&title));
        let [long, short] = [(&headlines[0], &whole, feeds[0]), (&headlines[1], &part, feeds[1])]
            .map(|(title, body, feed)| side((feed, 0.0, title, body)));
        let limits = &Options::default().thresholds;
        let short_tells = tells(&short, &headlines[0], limits);
        let is_passed_over =
            !can_be_largely_one([short.tokens(), long.tokens()], limits) && !short_tells;
        prop_assert!(!(is_passed_over && verify(&long, &short, &Options::default()).is_duplicate));
        let [short, long] = [&short, &long].map(|side| Words::of(side.title(), side.body()));
        for headline_within in [short.tell(&Sketch::of(&long)), long.told_by(&Sketch::of(&short))] {
            prop_assert!(may_tell(headline_within, limits) || !short_tells);
        }
    }
}
