//! The documents say what is so: their commands exist, their links lead somewhere, what the README shows is what comes.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use crate::support::program::{command, finish, newsfold, start};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// README.md, CONTRIBUTING.md and everything under docs.
fn documents() -> Vec<(PathBuf, String)> {
    let mut paths = vec![root().join("README.md"), root().join("CONTRIBUTING.md")];
    for folder in ["docs", "docs/decisions"] {
        let entries = fs::read_dir(root().join(folder)).into_iter().flatten();
        paths.extend(entries.map(|entry| entry.unwrap().path()));
    }
    paths.retain(|path| path.extension().is_some_and(|it| it == "md"));
    paths.into_iter().map(|path| (path.clone(), fs::read_to_string(&path).unwrap())).collect()
}

/// The commands of the program and of `newsfold feeds`, as its help lists them.
fn commands(arguments: &[&str]) -> Vec<String> {
    let help = newsfold(&[arguments, &["--help"]].concat(), "").expect(0).stdout;
    let lines = help.lines().skip_while(|line| *line != "Commands:").skip(1);
    let names = lines.take_while(|line| !line.is_empty()).filter(|line| !line.starts_with("   "));
    names.filter_map(|line| line.split_whitespace().next()).map(str::to_owned).collect()
}

/// Calls of the program in fenced blocks and in inline code, without the program's name.
fn calls(text: &str) -> Vec<Vec<String>> {
    let mut found = Vec::new();
    let mut is_fenced = false;
    for line in text.lines() {
        if line.starts_with("```") {
            is_fenced = !is_fenced;
        } else if is_fenced {
            let line =
                line.trim_start_matches("$ ").trim_start_matches("# ").trim_start_matches("sudo ");
            found.extend(call(line));
        } else {
            found.extend(line.split('`').skip(1).step_by(2).filter_map(call));
        }
    }
    found
}

fn call(code: &str) -> Option<Vec<String>> {
    let rest = ["newsfold ", "cargo run --release -- ", "/usr/bin/newsfold "]
        .iter()
        .find_map(|start| code.strip_prefix(start))?;
    let rest = rest.split(" #").next().unwrap_or(rest);
    let words = rest.split(['|', '>', ';']).next().unwrap_or(rest).split_whitespace();
    Some(words.map(|word| word.trim_matches(['\'', '"', '[', ']']).to_owned()).collect())
}

#[test]
fn every_command_in_the_documents_exists() {
    let mut wrong = Vec::new();
    for (path, text) in documents() {
        for call in calls(&text) {
            let mut words = call.iter().map(String::as_str).peekable();
            while words.peek().is_some_and(|word| word.starts_with('-')) {
                if words.next() == Some("-c") {
                    words.next();
                }
            }
            // An ellipsis or a placeholder stands for any command.
            let Some(name) =
                words.next().filter(|name| name.chars().all(|c| c.is_ascii_lowercase()))
            else {
                continue;
            };
            let mut command = vec![name];
            if name == "feeds" {
                command
                    .extend(words.next_if(|word| commands(&["feeds"]).iter().any(|it| it == word)));
            }
            if name == "help" {
                continue;
            }
            let help = newsfold(&[&command[..], &["--help"]].concat(), "");
            if help.code != Some(0) {
                wrong.push(format!("{}: newsfold {}", path.display(), call.join(" ")));
                continue;
            }
            for flag in words.filter(|word| word.starts_with("--")) {
                let flag = flag.split(['=', '|']).next().unwrap_or(flag);
                if !help.stdout.contains(flag) {
                    wrong.push(format!("{}: newsfold {name} has no {flag}", path.display()));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_command_is_in_the_documents() {
    let calls: Vec<Vec<String>> = documents().iter().flat_map(|(_, text)| calls(text)).collect();
    let named: BTreeSet<&str> = calls.iter().flatten().map(String::as_str).collect();
    for name in commands(&[]).iter().chain(&commands(&["feeds"])) {
        // For packagers, and clap's own.
        let is_left_out = ["help", "completions", "man"].contains(&name.as_str());
        assert!(is_left_out || named.contains(name.as_str()), "no document shows newsfold {name}");
    }
}

#[test]
fn every_link_leads_somewhere() {
    let mut wrong = Vec::new();
    for (path, text) in documents() {
        for link in text.split("](").skip(1).filter_map(|rest| rest.split([')', '#']).next()) {
            if link.is_empty() || link.contains("://") {
                continue;
            }
            if !path.parent().unwrap().join(link).exists() {
                wrong.push(format!("{}: {link}", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_dependency_has_its_sentence() {
    let manifest = fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let reasons = fs::read_to_string(root().join("docs/dependencies.md")).unwrap();
    let mut is_dependency = false;
    for line in manifest.lines() {
        if line.starts_with('[') {
            is_dependency = line.contains("dependencies]");
        } else if let Some((name, _)) = line.split_once(" = ").filter(|_| is_dependency) {
            assert!(reasons.contains(&format!("**{name}**")), "docs/dependencies.md lacks {name}");
        }
    }
}

#[test]
fn every_kind_of_failure_has_its_remedy() {
    let operating = fs::read_to_string(root().join("docs/operating.md")).unwrap();
    let mut kinds = 0;
    for file in ["src/fetch/error.rs", "src/parse/mod.rs"] {
        let code = fs::read_to_string(root().join(file)).unwrap();
        for function in code.split("kind(").skip(1) {
            let body = function.split("\n    }\n").next().unwrap_or_default();
            for kind in body.split("=> \"").skip(1).filter_map(|rest| rest.split('"').next()) {
                kinds += 1;
                assert!(
                    operating.contains(&format!("`{kind}`")),
                    "docs/operating.md lacks {kind} of {file}"
                );
            }
        }
    }
    assert!(kinds >= 15, "only {kinds} kinds were found in the code");
}

/// Cells of a table in the box mode of the sqlite3 shell, whose padding differs between versions.
fn cells(table: &str) -> Vec<Vec<&str>> {
    let rows = table.lines().filter(|line| line.starts_with('│'));
    rows.map(|row| row.split('│').map(str::trim).collect()).collect()
}

#[test]
fn the_readme_shows_what_comes() {
    let temporary = tempfile::tempdir().unwrap();
    let copied =
        Command::new("cp").arg("-r").arg(root().join("config")).arg(temporary.path()).status();
    assert!(copied.unwrap().success());
    fs::create_dir(temporary.path().join("target")).unwrap();
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    let blocks: Vec<&str> = readme.split("```").skip(1).step_by(2).collect();
    let steps: Vec<(&str, &str)> = blocks
        .iter()
        .flat_map(|block| block.split("\n$ ").skip(1))
        .filter_map(|step| step.split_once('\n'))
        .collect();

    let mut once = command(&["-c", "config/demo.toml", "once"]);
    once.current_dir(temporary.path());
    let came = finish(start(once), "").expect(75).stdout;
    let (_, shown) = steps.iter().find(|(line, _)| line.starts_with("cargo run")).unwrap();
    let after_time = |text: &str| {
        text.split_once(" in ").unwrap().1.split_once(':').unwrap().1.trim().to_owned()
    };
    assert_eq!(after_time(&came), after_time(shown));

    let mut queries = 0;
    for (line, shown) in &steps {
        let Some(sql) = line.strip_prefix("sqlite3 -box target/demo.db \"") else { continue };
        let sql = sql.trim_end_matches('"');
        let database = temporary.path().join("target/demo.db");
        let output = Command::new("sqlite3").arg("-box").arg(database).arg(sql).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        assert_eq!(cells(std::str::from_utf8(&output.stdout).unwrap()), cells(shown), "{sql}");
        queries += 1;
    }
    assert!(queries >= 3, "the README shows only {queries} queries");
}

#[test]
#[expect(
    clippy::print_stderr,
    reason = "whoever reads the tests' output shall know what was left out"
)]
fn the_unit_is_understood_by_systemd() {
    if Command::new("systemd-analyze").arg("--version").output().is_err() {
        eprintln!("skipped: there is no systemd-analyze here");
        return;
    }
    let temporary = tempfile::tempdir().unwrap();
    // As installed: the program has to be there.
    let unit = fs::read_to_string(root().join("systemd/newsfold.service")).unwrap();
    let unit = unit.replace("/usr/bin/newsfold", env!("CARGO_BIN_EXE_newsfold"));
    let path = temporary.path().join("newsfold.service");
    fs::write(&path, unit).unwrap();
    let output =
        Command::new("systemd-analyze").args(["verify", "--man=no"]).arg(&path).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && !said.contains("newsfold.service:"), "{said}");
}
