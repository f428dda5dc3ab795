//! Guards the map: which part may know which, and that the pure steps stay pure.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

/// What each part may use besides `model`, which is open to all. A part that is missing here is an error too.
const MAY_USE: &[(&str, &[&str])] = &[
    ("model", &[]),
    ("parse", &[]),
    ("normalize", &[]),
    ("dedup", &[]),
    ("schedule", &[]),
    ("fetch", &[]),
    ("store", &["dedup", "schedule", "normalize"]),
    ("digest", &["parse", "normalize", "dedup"]),
    ("writer", &["digest", "dedup", "normalize", "schedule", "store"]),
    ("workers", &[]),
    ("context", &["fetch", "digest", "schedule", "workers", "writer"]),
    ("pages", &["context", "fetch", "digest", "writer", "store", "normalize", "parse"]),
    (
        "poll",
        &[
            "context",
            "pages",
            "fetch",
            "digest",
            "writer",
            "store",
            "normalize",
            "schedule",
            "parse",
        ],
    ),
    (
        "config",
        &[
            "context",
            "fetch",
            "schedule",
            "normalize",
            "dedup",
            "store",
            "parse",
            "digest",
            "writer",
        ],
    ),
    ("metrics", &[]),
    ("health", &[]),
    ("http", &["config", "metrics", "health"]),
    ("telemetry", &["config"]),
    ("report", &[]),
    (
        "daemon",
        &[
            "config",
            "context",
            "poll",
            "schedule",
            "workers",
            "writer",
            "store",
            "fetch",
            "digest",
            "telemetry",
            "report",
            "metrics",
            "health",
            "http",
        ],
    ),
    ("cli", &["*"]),
    ("main", &["cli"]),
];

/// Words that a pure step has no business with.
const IMPURE: &[&str] = &[
    "std::fs",
    "std::net",
    "std::env",
    "std::process",
    "std::time::SystemTime",
    "SystemTime",
    "Instant::now",
    "Timestamp::now",
    "tokio::",
    "rusqlite",
    "reqwest",
];
const PURE: &[&str] = &["model", "parse", "normalize", "dedup", "schedule", "digest", "report"];

#[test]
fn every_part_knows_only_what_the_map_says() {
    let mut wrong = Vec::new();
    for (part, uses) in uses_by_part() {
        let Some((_, allowed)) = MAY_USE.iter().find(|(name, _)| *name == part) else {
            wrong.push(format!("{part} is not on the map: add it to MAY_USE"));
            continue;
        };
        for used in uses {
            let fine = used == part
                || used == "model"
                || allowed.contains(&"*")
                || allowed.contains(&used.as_str());
            if !fine {
                wrong.push(format!("{part} uses {used}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_map_has_no_cycle() {
    let rank: BTreeMap<&str, usize> =
        MAY_USE.iter().enumerate().map(|(rank, (part, _))| (*part, rank)).collect();
    for (part, allowed) in MAY_USE {
        for used in allowed.iter().filter(|used| **used != "*") {
            assert!(rank[used] < rank[part], "{part} stands above {used} on the map");
        }
    }
}

#[test]
fn pure_steps_touch_no_clock_file_socket_or_database() {
    let mut wrong = Vec::new();
    for path in sources() {
        if !PURE.contains(&part_of(&path).as_str()) {
            continue;
        }
        for (number, line) in code(&path).lines().enumerate() {
            for word in IMPURE.iter().filter(|word| line.contains(**word)) {
                wrong.push(format!("{}:{}: {word}", path.display(), number + 1));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn uses_by_part() -> BTreeMap<String, BTreeSet<String>> {
    let parts: BTreeSet<String> = sources().iter().map(|path| part_of(path)).collect();
    let mut uses: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for path in sources() {
        let part = part_of(&path);
        if part == "lib" {
            continue;
        }
        let text = code(&path);
        let found = uses.entry(part).or_default();
        for mention in text.split("crate::").skip(1).chain(text.split("newsfold::").skip(1)) {
            found.extend(names(mention).into_iter().filter(|name| parts.contains(name)));
        }
    }
    uses
}

/// The first names of a path, or of each path in a list of them: `a::b` or `{a::b, c}`.
fn names(mention: &str) -> Vec<String> {
    let name = |text: &str| {
        text.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect::<String>()
    };
    let Some(list) = mention.strip_prefix('{') else { return vec![name(mention)] };
    let (mut depth, mut found, mut start) = (1, Vec::new(), true);
    for (at, c) in list.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 1 => break,
            '}' => depth -= 1,
            ',' if depth == 1 => start = true,
            c if start && !c.is_whitespace() => {
                found.push(name(&list[at..]));
                start = false;
            }
            _ => {}
        }
    }
    found
}

/// The code of a file without its tests and without comments.
fn code(path: &Path) -> String {
    let text = fs::read_to_string(path).unwrap();
    let text = text.split("#[cfg(test)]\nmod ").next().unwrap_or_default();
    text.lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .map(|line| format!("{line}\n"))
        .collect()
}

fn part_of(path: &Path) -> String {
    let inside = path.strip_prefix(root()).unwrap();
    let first = inside.components().next().unwrap().as_os_str().to_string_lossy().into_owned();
    first.trim_end_matches(".rs").to_owned()
}

fn sources() -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![root()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let is_test = path.file_name().is_some_and(|name| name == "tests.rs");
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|it| it == "rs") && !is_test {
                found.push(path);
            }
        }
    }
    found
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}
