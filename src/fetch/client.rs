//! The HTTP clients: one for each way to connect, built when first needed and kept for their connections.
//!
//! A client is chosen by what must never be mixed in one connection pool: with or without TLS, with or without the
//! address guard, through which proxy. Plain HTTP never loads the machine's CA certificates (20 ms), and works
//! on a machine that has none.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, OnceLock},
    time::Duration,
};

use reqwest::{Client, Proxy, redirect};

use super::{Error, guard::GuardedResolver};

/// What must not share connections.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Key {
    pub(super) tls: bool,
    pub(super) allow_private: bool,
    pub(super) proxy: Option<Arc<str>>,
}

/// The clients built so far.
#[derive(Debug)]
pub(super) struct Clients {
    connect_timeout: Duration,
    max_header_bytes: u32,
    /// The four without a proxy, by `tls` and `allow_private`: nearly every fetch takes one of these.
    direct: [OnceLock<Client>; 4],
    proxied: Mutex<HashMap<Key, Client>>,
}

impl Clients {
    pub(super) fn new(connect_timeout: Duration, max_header_bytes: u32) -> Self {
        // Fails only where a provider is installed already, which is then the one in use.
        let _ = rustls::crypto::ring::default_provider().install_default();
        Self {
            connect_timeout,
            max_header_bytes,
            direct: Default::default(),
            proxied: Mutex::default(),
        }
    }

    /// The client for `key`.
    ///
    /// # Errors
    ///
    /// `tls` where HTTPS is wanted and the machine has no CA certificates, `credentials` where the proxy's address
    /// cannot be read.
    pub(super) fn get(&self, key: &Key) -> Result<Client, Error> {
        if key.proxy.is_none() {
            let slot = &self.direct[usize::from(key.tls) * 2 + usize::from(key.allow_private)];
            if let Some(client) = slot.get() {
                return Ok(client.clone());
            }
            let client = self.build(key)?;
            return Ok(slot.get_or_init(|| client).clone());
        }
        let mut proxied = self.proxied.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some(client) = proxied.get(key) {
            return Ok(client.clone());
        }
        let client = self.build(key)?;
        proxied.insert(key.clone(), client.clone());
        Ok(client)
    }

    fn build(&self, key: &Key) -> Result<Client, Error> {
        // The proxy's own name is the operator's choice, and the only one such a client ever resolves.
        let allow_private = key.allow_private || key.proxy.is_some();
        let mut builder = Client::builder()
            .no_proxy()
            .redirect(redirect::Policy::none())
            .referer(false)
            .retry(reqwest::retry::never())
            .dns_resolver(GuardedResolver { allow_private })
            .connect_timeout(self.connect_timeout)
            .pool_idle_timeout(Duration::from_secs(60))
            .tcp_nodelay(true)
            .http2_max_header_list_size(self.max_header_bytes)
            .http1_max_headers(256);
        if let Some(proxy) = key.proxy.as_deref() {
            let proxy = Proxy::all(proxy)
                .map_err(|_| Error::Credentials("the proxy's address is no URL".to_owned()))?;
            builder = builder.proxy(proxy);
        }
        if !key.tls {
            builder = builder.tls_certs_only([]);
        }
        builder.build().map_err(|error| {
            let cause = std::error::Error::source(&error)
                .map_or_else(|| error.to_string(), ToString::to_string);
            Error::Tls { host: "any host".to_owned(), cause }
        })
    }
}
