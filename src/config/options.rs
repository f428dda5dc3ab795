//! What each step is told: its own `Options`, filled from the settings.

use std::{path::PathBuf, time::Duration};

use super::{
    Config,
    feed::{Feed, Password},
    settings::{Fetch, Initial, Interval, Keep, Search},
};
use crate::{dedup, digest, fetch, parse, schedule, store, writer};

impl Config {
    /// For the fetcher that all feeds share.
    pub fn fetch_options(&self) -> fetch::Options {
        fetch::Options {
            concurrency: self.fetch.concurrency as usize,
            manners: fetch::Manners {
                per_host: self.fetch.per_host as usize,
                host_delay: self.fetch.host_delay,
            },
            connect_timeout: self.fetch.connect_timeout,
            first_byte_timeout: self.fetch.first_byte_timeout,
            max_redirects: self.fetch.max_redirects as usize,
            body_budget_bytes: u32::try_from(self.fetch.max_in_flight).unwrap_or(u32::MAX),
            ..fetch::Options::default()
        }
    }

    /// For the database.
    pub fn store_options(&self) -> store::Options {
        store::Options::new(&self.store.path)
    }

    /// The word in the table `settings`.
    pub fn search(&self) -> &'static str {
        match self.store.search {
            Search::Full => "full",
            Search::Title => "title",
            Search::Off => "off",
        }
    }

    /// What `[store]` says of how long rows stay.
    pub fn retention(&self) -> store::retention::Retention {
        let seconds = |keep: Keep| match keep {
            Keep::Forever => None,
            Keep::For(duration) => Some(whole_seconds(duration)),
        };
        store::retention::Retention {
            keep_seconds: seconds(self.store.keep),
            keep_duplicates_seconds: seconds(self.store.keep_duplicates),
            keep_polls_seconds: seconds(self.store.keep_polls),
            window_seconds: self.window_seconds(),
        }
    }

    /// How far back copies are looked for.
    pub fn window_seconds(&self) -> i64 {
        whole_seconds(self.dedup.window)
    }
}

impl Feed {
    /// How it is fetched.
    pub fn fetch_options(&self) -> fetch::FetchOptions {
        let Fetch { user_agent, timeout, max_body, proxy, allow_private_networks, .. } =
            &self.fetch;
        let credentials =
            self.username.as_ref().zip(self.password.as_ref()).map(|(username, password)| {
                fetch::Credentials { username: username.clone(), password: where_it_is(password) }
            });
        fetch::FetchOptions {
            user_agent: user_agent.clone(),
            timeout: *timeout,
            max_body: *max_body,
            proxy: proxy.as_deref().map(fetch::Secret::new),
            allow_private_networks: *allow_private_networks,
            home: Some(self.url.as_str().to_owned()),
            credentials,
            headers: self
                .headers
                .iter()
                .map(|(name, value)| (name.clone(), fetch::Secret::new(value)))
                .collect(),
        }
    }

    /// When it is polled.
    pub fn schedule_options(&self) -> schedule::Options {
        let seconds = |duration| u32::try_from(whole_seconds(duration)).unwrap_or(u32::MAX);
        schedule::Options {
            interval: match self.poll.interval {
                Interval::Auto => schedule::Interval::Auto,
                Interval::Fixed(duration) => schedule::Interval::Fixed(seconds(duration)),
            },
            min_interval_seconds: seconds(self.poll.min_interval),
            max_interval_seconds: seconds(self.poll.max_interval),
            adopt_redirects_after_seconds: seconds(self.poll.adopt_redirects_after),
        }
    }

    /// How its documents are read and cleaned.
    pub fn digest_options(&self) -> digest::Options {
        let max_bytes = usize::try_from(self.fetch.max_body).unwrap_or(usize::MAX);
        // Decoding to UTF-8 makes at most three bytes of one.
        let limits =
            parse::Limits { max_bytes: max_bytes.saturating_mul(3), ..parse::Limits::default() };
        digest::Options { limits, ..digest::Options::default() }
    }

    /// How its articles are judged and kept.
    pub fn writer_options(&self, config: &Config) -> writer::Options {
        writer::Options {
            dedup: dedup::Options {
                window_seconds: config.window_seconds(),
                scope: self.scope,
                prefer: self.prefer,
                thresholds: config.dedup.thresholds.clone(),
            },
            initial: match self.poll.initial {
                Initial::All => writer::Initial::All,
                Initial::Newest(count) => writer::Initial::Count(count),
                Initial::Since(instant) => writer::Initial::Since(instant),
            },
        }
    }

    /// The row that it is in the database.
    pub fn row(&self) -> store::feeds::Configured {
        store::feeds::Configured {
            url: self.url.as_str().to_owned(),
            name: self.name.clone(),
            tags: self.tags.clone(),
            enabled: self.enabled,
            priority: i64::from(self.priority),
            dedup_scope: self.scope,
            config_hash: format!("{:016x}", self.entry_hash),
        }
    }
}

/// systemd puts credentials into a folder that it names; outside of it there is none to be found.
fn where_it_is(password: &Password) -> fetch::Password {
    match password {
        Password::File(path) => fetch::Password::File(path.clone()),
        Password::Credential(name) => match std::env::var_os("CREDENTIALS_DIRECTORY") {
            Some(folder) => fetch::Password::File(PathBuf::from(folder).join(name)),
            None => fetch::Password::OutOfReach { credential: name.clone() },
        },
    }
}

fn whole_seconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_secs()).unwrap_or(i64::MAX)
}
