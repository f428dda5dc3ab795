//! The plan's rules one by one, and a simulated month of thousands of feeds.

use proptest::prelude::*;

use super::*;

const MINUTE: i64 = 60;
const HOUR: i64 = 3_600;
const DAY: i64 = 86_400;

fn t(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// A Tuesday.
fn noon() -> Timestamp {
    t("2026-11-24T12:00:00Z")
}

fn fixed(seconds: u32) -> Options {
    Options { interval: Interval::Fixed(seconds), ..Options::default() }
}

fn hints() -> PollHints {
    PollHints::default()
}

/// A success with a document that listed entries at these hours before `noon`, `new` of them new.
fn document<'a>(hints: &'a PollHints, times: &'a [Timestamp], new: u32) -> Signals<'a> {
    let document =
        Some(DocumentSignals { hints, entry_times: times, new_entries: new, listed_entries: 20 });
    Signals { document, ..Signals::of(Outcome::Success) }
}

/// The wait after one poll at `noon`, without its jitter, and the rule that decided.
fn wait(state: &mut State, signals: &Signals<'_>, options: &Options) -> (i64, &'static str) {
    let plan = next(state, signals, options, noon(), 0);
    let before_jitter =
        plan.rules.iter().filter(|rule| !rule.name.starts_with("skip") && rule.name != "jitter");
    let longest = before_jitter.filter_map(|rule| rule.asks).max().unwrap();
    (longest.seconds_since(noon()), plan.reason)
}

fn every(gap: i64, count: i64) -> Vec<Timestamp> {
    (0..count).map(|n| noon().plus_seconds(-n * gap)).collect()
}

#[test]
fn a_fixed_interval_is_kept_and_jitter_only_delays() {
    for seed in 0..1_000 {
        let plan = next(
            &mut State::default(),
            &Signals::of(Outcome::Success),
            &fixed(1_000),
            noon(),
            seed,
        );
        let wait = plan.at.unwrap().seconds_since(noon());
        assert!((1_000..=1_100).contains(&wait), "{wait}");
        assert_eq!(plan.reason, "interval");
    }
}

#[test]
fn an_automatic_interval_follows_the_rhythm_between_its_bounds() {
    let (hints, options) = (hints(), Options::default());
    let of = |gap| wait(&mut State::default(), &document(&hints, &every(gap, 10), 10), &options);
    assert_eq!(of(5 * MINUTE), (15 * MINUTE, "auto"));
    assert_eq!(of(2 * HOUR), (HOUR, "auto"));
    assert_eq!(of(10 * DAY), (DAY, "auto"));
    assert_eq!(
        wait(&mut State::default(), &Signals::of(Outcome::Success), &options),
        (HOUR, "auto"),
        "not known"
    );
}

#[test]
fn a_silent_feed_is_asked_less_and_a_feed_without_dates_is_learned_from_its_polls() {
    let (hints, options) = (hints(), Options::default());
    let old: Vec<_> = every(HOUR, 10).iter().map(|at| at.plus_seconds(-100 * HOUR)).collect();
    assert_eq!(wait(&mut State::default(), &document(&hints, &old, 10), &options).0, 10 * HOUR);

    let mut state = State::default();
    for poll in 0..20 {
        state.observe(&document(&hints, &[], 2), noon().plus_seconds((poll - 20) * 4 * HOUR));
    }
    assert_eq!(state.usual_gap_seconds, Some(2 * HOUR as u32));
}

#[test]
fn servers_and_documents_set_lower_bounds_up_to_max_interval() {
    let (none, options) = (hints(), fixed(900));
    let success = Signals::of(Outcome::Success);
    let of = |signals: &Signals<'_>| wait(&mut State::default(), signals, &options);
    assert_eq!(
        of(&Signals { max_age_seconds: Some(3_600), ..success.clone() }),
        (3_600, "max_age")
    );
    assert_eq!(of(&Signals { max_age_seconds: Some(60), ..success.clone() }), (900, "interval"));
    assert_eq!(
        of(&Signals { expires_seconds: Some(7_200), ..success.clone() }),
        (7_200, "expires")
    );
    assert_eq!(of(&Signals { max_age_seconds: Some(u32::MAX), ..success }), (DAY, "max_age"));
    let ttl = PollHints { min_interval_seconds: Some(5_400), ..none };
    assert_eq!(of(&document(&ttl, &[], 0)), (5_400, "ttl"));
}

#[test]
fn what_a_document_and_an_answer_said_outlasts_a_304() {
    let mut state = State::default();
    let ttl = PollHints { min_interval_seconds: Some(5_400), ..hints() };
    let first = Signals { max_age_seconds: Some(7_200), ..document(&ttl, &[], 3) };
    state.observe(&first, noon().plus_seconds(-7_200));
    assert_eq!(wait(&mut state, &Signals::of(Outcome::Success), &fixed(900)), (7_200, "max_age"));
    let shorter = Signals { max_age_seconds: Some(60), ..Signals::of(Outcome::Success) };
    assert_eq!(wait(&mut state, &shorter, &fixed(900)), (5_400, "ttl"));
    assert_eq!(
        wait(&mut state, &document(&hints(), &[], 0), &fixed(900)),
        (900, "interval"),
        "no longer said"
    );
}

#[test]
fn skipped_hours_and_days_are_not_asked() {
    let skip = PollHints { skip_hours: 0b11 << 12, ..hints() };
    let plan = next(&mut State::default(), &document(&skip, &[], 0), &fixed(900), noon(), 1);
    assert_eq!(plan.reason, "skip_hours");
    let at = plan.at.unwrap();
    assert!((t("2026-11-24T14:00:00Z")..t("2026-11-24T14:11:00Z")).contains(&at), "{at}");

    let skip = PollHints { skip_days: 0b10, ..hints() };
    let plan = next(&mut State::default(), &document(&skip, &[], 0), &fixed(900), noon(), 1);
    assert_eq!(
        (plan.reason, plan.at.unwrap().to_string().split_at(11).0),
        ("skip_days", "2026-11-25T")
    );

    let skip = PollHints { skip_days: 0b0111_1110, ..hints() };
    let plan = next(&mut State::default(), &document(&skip, &[], 0), &fixed(900), noon(), 1);
    assert!(plan.at.unwrap() <= noon().plus_seconds(DAY + 1), "up to max_interval");
}

#[test]
fn retry_after_is_an_order_up_to_its_seven_days() {
    let failed = Signals::of(Outcome::Failed { is_soft: true });
    for seconds in [3_600, 3 * 86_400, 604_800] {
        let order = Signals { retry_after_seconds: Some(seconds), ..failed.clone() };
        let mut state = State::default();
        let plan = next(&mut state, &order, &fixed(900), noon(), 0);
        assert_eq!(plan.reason, "retry_after");
        assert!(plan.at.unwrap() >= noon().plus_seconds(i64::from(seconds)));
        assert!(state.is_under_orders(noon().plus_seconds(i64::from(seconds) - 1)));
        assert!(!state.is_under_orders(noon().plus_seconds(i64::from(seconds))));
    }
    let mut state = State::default();
    state.observe(&Signals { retry_after_seconds: Some(7_200), ..failed.clone() }, noon());
    state.observe(&Signals { retry_after_seconds: Some(60), ..failed.clone() }, noon());
    assert_eq!(state.retry_after_until, Some(noon().plus_seconds(7_200)), "never shortened");
    let beside_success =
        Signals { retry_after_seconds: Some(7_200), ..Signals::of(Outcome::Success) };
    assert_eq!(wait(&mut State::default(), &beside_success, &fixed(900)).0, 900);
}

#[test]
fn failures_back_off_and_soft_ones_less() {
    let waits = |is_soft| {
        let mut state = State::default();
        (0..12)
            .map(|_| wait(&mut state, &Signals::of(Outcome::Failed { is_soft }), &fixed(900)).0)
            .collect::<Vec<_>>()
    };
    assert_eq!(waits(false)[..7], [1_800, 3_600, 7_200, 14_400, 28_800, 57_600, 86_400]);
    assert_eq!(waits(false)[11], 86_400, "a dead feed is still asked once per max_interval");
    assert_eq!(waits(true)[..5], [1_272, 1_800, 2_545, 3_600, 5_090]);
    let mut state = State::default();
    state.observe(&Signals::of(Outcome::Failed { is_soft: false }), noon());
    assert_eq!(wait(&mut state, &Signals::of(Outcome::Success), &fixed(900)), (900, "interval"));
    assert_eq!(state.failures, 0);
}

#[test]
fn a_feed_that_is_gone_is_never_due() {
    let mut state = State::default();
    let plan = next(&mut state, &Signals::of(Outcome::Gone), &fixed(900), noon(), 0);
    assert_eq!((plan.at, plan.reason), (None, "gone"));
    assert!(state.is_under_orders(noon().plus_seconds(365 * DAY)));
}

#[test]
fn a_held_feed_waits_for_its_origin_and_counts_no_failure() {
    let mut state = State::default();
    state.observe(&Signals::of(Outcome::Success), noon().plus_seconds(-900));
    let until = noon().plus_seconds(2 * HOUR);
    let plan = next(&mut state, &Signals::of(Outcome::Held(until)), &fixed(900), noon(), 0);
    assert!(plan.at.unwrap() >= until);
    assert_eq!((plan.reason, state.failures), ("retry_after", 0));
}

#[test]
fn a_stale_feed_is_asked_in_full_once_in_seven_days() {
    let hints = hints();
    let mut state = State::default();
    state.observe(&document(&hints, &every(HOUR, 10), 10), noon());
    assert!(!state.is_stale(noon().plus_seconds(4 * HOUR)));
    assert!(state.is_stale(noon().plus_seconds(4 * HOUR + 1)));
    let not_modified = Signals::of(Outcome::Success);
    let mut full_gets = 0;
    for hour in 1..24 * 30 {
        let now = noon().plus_seconds(hour * HOUR);
        let full = state.wants_full_get(now);
        full_gets += i32::from(full);
        state.observe(&Signals { was_unconditional: full, ..not_modified.clone() }, now);
    }
    assert_eq!(full_gets, 4, "in thirty days");
}

#[test]
fn a_plan_says_what_every_rule_asked_for() {
    let ttl = PollHints { min_interval_seconds: Some(5_400), skip_hours: 1 << 3, ..hints() };
    let times = every(HOUR, 5);
    let signals = Signals { max_age_seconds: Some(100_000), ..document(&ttl, &times, 5) };
    let plan = next(&mut State::default(), &signals, &Options::default(), noon(), 0);
    let names: Vec<_> = plan.rules.iter().map(|rule| rule.name).collect();
    assert_eq!(names, ["auto", "max_age", "ttl", "jitter", "skip_hours"]);
    assert_eq!(
        plan.rules[1].note,
        "Cache-Control: max-age less Age: 1 d 3 h, held to max_interval"
    );
    assert_eq!(plan.rules[0].note, "something new every 1 h");
}

#[test]
fn the_memory_reads_back_and_an_older_one_too() {
    let mut state = State::default();
    let ttl = PollHints { min_interval_seconds: Some(5_400), skip_hours: 1 << 3, skip_days: 3 };
    state.observe(
        &Signals { max_age_seconds: Some(9), ..document(&ttl, &every(HOUR, 5), 5) },
        noon(),
    );
    let text = serde_json::to_string(&state.memory).unwrap();
    assert_eq!(serde_json::from_str::<Memory>(&text).unwrap(), state.memory);
    assert_eq!(serde_json::from_str::<Memory>("{}").unwrap(), Memory::default());
}

#[test]
fn durations_are_said_in_two_units() {
    for (seconds, words) in [
        (0, "0 s"),
        (59, "59 s"),
        (90, "1 min 30 s"),
        (900, "15 min"),
        (9_000, "2 h 30 min"),
        (273_600, "3 d 4 h"),
    ] {
        assert_eq!(in_words(seconds), words);
    }
}

fn outcome() -> impl Strategy<Value = Outcome> {
    prop_oneof![
        6 => Just(Outcome::Success),
        2 => any::<bool>().prop_map(|is_soft| Outcome::Failed { is_soft }),
        1 => (0_i64..100_000).prop_map(|s| Outcome::Held(noon().plus_seconds(s))),
    ]
}

proptest! {
    /// Whatever comes: the plan is after the poll, not before any rule that is not capped, at most a tenth over the
    /// cap unless a server ordered more, and the same when asked again.
    #[test]
    fn every_plan_keeps_its_bounds(
        polls in proptest::collection::vec(
            (outcome(), proptest::option::of(0_u32..700_000), proptest::option::of(0_u32..900_000), any::<u32>(), any::<u8>()),
            1..30,
        ),
        auto in any::<bool>(), seed in any::<u64>(),
    ) {
        let options = if auto { Options::default() } else { fixed(1_200) };
        let mut state = State::default();
        let mut now = noon();
        for (outcome, retry, max_age, skip_hours, skip_days) in polls {
            let hints = PollHints { min_interval_seconds: max_age, skip_hours, skip_days };
            let mut signals = Signals { retry_after_seconds: retry, max_age_seconds: max_age, ..Signals::of(outcome) };
            if outcome == Outcome::Success {
                signals.document = Some(DocumentSignals { hints: &hints, entry_times: &[], new_entries: 1, listed_entries: 20 });
            }
            let plan_now = next(&mut state, &signals, &options, now, seed);
            prop_assert_eq!(&plan_now, &plan(&state, &options, seed));
            let (at, last) = (plan_now.at.unwrap(), state.last_poll_at.unwrap());
            let wait = at.seconds_since(last);
            let shortest = if auto { options.min_interval_seconds } else { 1_200 };
            prop_assert!(wait >= i64::from(shortest));
            let ordered = state.retry_after_until.map_or(0, |until| until.seconds_since(last));
            prop_assert!(at >= state.retry_after_until.unwrap_or(Timestamp::MIN));
            prop_assert!(wait <= ordered.max(DAY) + DAY / 10 + 1, "{} {}", wait, ordered);
            now = at.max(now);
        }
    }
}

#[test]
fn a_long_absence_is_not_the_feeds_rhythm() {
    let (hints, options) = (hints(), Options::default());
    let usual = State {
        last_poll_at: Some(noon().plus_seconds(-30 * DAY)),
        last_success_at: Some(noon().plus_seconds(-30 * DAY)),
        last_new_at: Some(noon().plus_seconds(-30 * DAY)),
        usual_gap_seconds: Some(300),
        memory: Memory { arrival_gap_seconds: Some(300), arrivals: 40, ..Memory::default() },
        ..State::default()
    };
    for (new, gap_after) in [(20, 300..=300), (19, 300..=300), (2, 388_000..=390_000)] {
        let mut state = usual.clone();
        next(&mut state, &document(&hints, &every(300, 20), new), &options, noon(), 0);
        let gap = state.usual_gap_seconds.unwrap();
        assert!(gap_after.contains(&gap), "{new} of 20 new: {gap} s");
    }
    // All new within an hour: it has become faster, and that is believed.
    let mut state = usual;
    state.last_new_at = Some(noon().plus_seconds(-2_000));
    next(&mut state, &document(&hints, &every(100, 20), 20), &options, noon(), 0);
    assert_eq!(state.usual_gap_seconds, Some(240));
}

#[test]
fn a_shorter_interval_hastens_and_another_jitter_does_not() {
    let last = noon();
    let state = State { last_poll_at: Some(last), ..State::default() };
    for seed in 0..1_000 {
        let planned = plan(&state, &fixed(3_600), seed).at.unwrap();
        assert_eq!(hastened(&state, &fixed(3_600), planned, seed + 1), None);
        assert_eq!(hastened(&state, &fixed(7_200), planned, seed), None);
        let next = hastened(&state, &fixed(600), planned, seed).unwrap();
        assert!((600..=660).contains(&next.at.unwrap().seconds_since(last)));
    }
}
