//! Who has claimed a feed: a name from which others on this machine can tell whether that process still lives.
//!
//! In it stand the process id, when that process began (ids are used again), and the namespace in which the id means
//! something: what runs in another container cannot be looked for, and its claims run out by themselves.

use std::{fs, process};

use rustix::{
    io::Errno,
    process::{Pid, test_kill_process},
};

/// This process's name, which begins with its kind.
pub(super) fn name(kind: &str) -> String {
    let pid = process::id();
    let began = began(pid).map_or_else(String::new, |ticks| ticks.to_string());
    format!("{kind}{pid}:{began}:{}", namespace().unwrap_or_default())
}

/// Whether the process of that name has ended; `false` where that cannot be known.
pub(super) fn is_gone(name: &str) -> bool {
    let parts: Vec<&str> = name.split(':').collect();
    let [_, pid, began_at, space] = parts[..] else { return false };
    let Some(id) = pid.parse().ok().and_then(Pid::from_raw) else { return false };
    if namespace().as_deref() != Some(space) {
        return false;
    }
    if test_kill_process(id) == Err(Errno::SRCH) {
        return true;
    }
    // Another user's process may be hidden from us.
    let began = u32::try_from(id.as_raw_nonzero().get()).ok().and_then(began);
    let began_at: Option<u64> = began_at.parse().ok();
    began.zip(began_at).is_some_and(|(now, then)| now != then)
}

/// When a process began, in ticks since the start of the machine.
fn began(pid: u32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // Its name, the second field, may hold anything; proc(5) has the start as the 22nd.
    let (_, rest) = stat.rsplit_once(')')?;
    rest.split_whitespace().nth(19)?.parse().ok()
}

fn namespace() -> Option<String> {
    let link = fs::read_link("/proc/self/ns/pid").ok()?;
    let text = link.to_str()?;
    Some(text.trim_start_matches("pid:[").trim_end_matches(']').to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_known_by_its_id_its_start_and_its_namespace() {
        let own = name("once:");
        assert!(!is_gone(&own), "{own}");
        let parts: Vec<&str> = own.split(':').collect();
        let [_, pid, began, space] = parts[..] else { panic!("{own}") };
        assert!(is_gone(&format!("once:{pid}:{began}0:{space}")), "its id was used again");
        assert!(!is_gone(&format!("once:{pid}::{space}")), "it may be the same");
        for unknown in [format!("once:{pid}:{began}0:{space}0"), "once:1:2".into(), "me".into()] {
            assert!(!is_gone(&unknown), "{unknown}");
        }
        let mut child = process::Command::new("true").spawn().unwrap();
        let ended = format!("once:{}:1:{space}", child.id());
        child.wait().unwrap();
        assert!(is_gone(&ended));
    }
}
