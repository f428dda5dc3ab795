//! The installed service under a real systemd.
//!
//! Builds two Debian packages from the list in Cargo.toml, boots systemd in a box (`tests/systemd/box`) and runs
//! `tests/systemd/checks` in there. Where namespaces are not to be had it says so and passes, except where `CI=true`:
//! there it fails, so that nobody believes in checks that were never made. `dpkg-deb` builds the packages and not
//! cargo-deb, because compiling that takes longer than all the rest.

use std::{
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
    process::{Command, Output},
};

/// What `box` answers where this machine does not allow it.
const NOT_HERE: i32 = 77;

#[test]
fn the_service_lives_under_systemd() {
    let given = tempfile::tempdir().unwrap();
    let tests = root().join("tests/systemd");
    for file in ["answer", "checks", "feed.rss"] {
        fs::copy(tests.join(file), given.path().join(file)).unwrap();
    }
    let refused = match build_packages(given.path()) {
        Ok(()) => {
            let output = Command::new(tests.join("box"))
                .arg(given.path())
                .arg("/given/checks")
                .output()
                .unwrap();
            if output.status.code() != Some(NOT_HERE) {
                assert!(output.status.success(), "{}", both(&output));
                return;
            }
            both(&output)
        }
        Err(refused) => refused,
    };
    assert!(std::env::var_os("CI").is_none_or(|ci| ci != "true"), "{refused}");
    // Past the harness, which would keep the words of a test that passes to itself.
    let _ = writeln!(io::stderr(), "\n*** SKIPPED: the service under systemd: {refused}");
}

/// `old.deb` and `new.deb` in `folder`: the same files, another version.
fn build_packages(folder: &Path) -> Result<(), String> {
    if Command::new("dpkg-deb").arg("--version").output().is_err() {
        return Err("there is no dpkg-deb".to_owned());
    }
    let generated = folder.join("generated");
    generate(&generated);
    let manifest: toml::Table =
        fs::read_to_string(root().join("Cargo.toml")).unwrap().parse().unwrap();
    let package = &manifest["package"]["metadata"]["deb"];
    let tree = folder.join("tree");
    for asset in package["assets"].as_array().unwrap() {
        let [source, target, mode] =
            [0, 1, 2].map(|at| asset.get(at).and_then(toml::Value::as_str).unwrap());
        for source in sources(source, &generated) {
            let target = match target.strip_suffix('/') {
                Some(folder) => Path::new(folder).join(source.file_name().unwrap()),
                None => target.into(),
            };
            run(
                "install",
                [
                    "-D".as_ref(),
                    "-m".as_ref(),
                    mode.as_ref(),
                    source.as_os_str(),
                    tree.join(target).as_os_str(),
                ],
            );
        }
    }
    let control = tree.join("DEBIAN");
    fs::create_dir(&control).unwrap();
    for script in ["postinst", "prerm", "postrm"] {
        let from = root().join(package["maintainer-scripts"].as_str().unwrap()).join(script);
        fs::copy(from, control.join(script)).unwrap();
    }
    let conffiles = package["conf-files"].as_array().unwrap().iter();
    let conffiles: String = conffiles.map(|file| format!("{}\n", file.as_str().unwrap())).collect();
    fs::write(control.join("conffiles"), conffiles).unwrap();
    for (name, version) in [("old.deb", "0.1.0-1"), ("new.deb", "0.1.0-2")] {
        let fields = format!(
            "Package: newsfold\nVersion: {version}\nArchitecture: all\nMaintainer: {}\nDescription: {}\n",
            package["maintainer"].as_str().unwrap(),
            manifest["package"]["description"].as_str().unwrap(),
        );
        fs::write(control.join("control"), fields).unwrap();
        let target = folder.join(name);
        run(
            "dpkg-deb",
            [
                "--root-owner-group".as_ref(),
                "-Zgzip".as_ref(),
                "-z1".as_ref(),
                "--build".as_ref(),
                tree.as_os_str(),
                target.as_os_str(),
            ],
        );
    }
    Ok(())
}

/// What `make deb` has the program itself write, and the program without its symbols.
fn generate(folder: &Path) {
    let newsfold = env!("CARGO_BIN_EXE_newsfold");
    let manual = folder.join("man");
    fs::create_dir_all(&manual).unwrap();
    run(newsfold, ["man".as_ref(), manual.as_os_str()]);
    for shell in ["bash", "zsh", "fish"] {
        let script = run(newsfold, ["completions".as_ref(), shell.as_ref()]).stdout;
        fs::write(folder.join(format!("newsfold.{shell}")), script).unwrap();
    }
    let program = folder.join("newsfold");
    run("strip", ["-o".as_ref(), program.as_os_str(), newsfold.as_ref()]);
}

/// The files that an asset's first column means, with those that a build makes in `generated`.
fn sources(pattern: &str, generated: &Path) -> Vec<PathBuf> {
    if pattern == "target/release/newsfold" {
        return vec![generated.join("newsfold")];
    }
    let path = match pattern.strip_prefix("target/package/") {
        Some(inside) => generated.join(inside),
        None => root().join(pattern),
    };
    let Some(suffix) = path.file_name().and_then(|name| name.to_str()?.strip_prefix('*')) else {
        return vec![path];
    };
    let files = fs::read_dir(path.parent().unwrap()).unwrap().map(|file| file.unwrap().path());
    files.filter(|file| file.to_string_lossy().ends_with(suffix)).collect()
}

fn run<'a>(program: &str, arguments: impl IntoIterator<Item = &'a std::ffi::OsStr>) -> Output {
    let output = Command::new(program).args(arguments).output().unwrap();
    assert!(output.status.success(), "{program}: {}", both(&output));
    output
}

fn both(output: &Output) -> String {
    let [out, error] = [&output.stdout, &output.stderr].map(|it| String::from_utf8_lossy(it));
    format!("{out}{error}")
}

fn root() -> PathBuf {
    env!("CARGO_MANIFEST_DIR").into()
}
