//! Names of people as feeds write them: with addresses before, behind and around them.

/// The name in `editor@example.com (Jane Roe)`, `Jane Roe <jane@example.com>`, `Jane Roe`; the address where
/// there is nothing else.
pub(super) fn name(raw: &str) -> Option<String> {
    let raw = raw.trim();
    let (address, rest) = split_address(raw);
    let trim = |text: &str| {
        let text = text.trim_matches(|c: char| c.is_whitespace() || "<>[](),;:\"".contains(c));
        text.split_whitespace().collect::<Vec<_>>().join(" ")
    };
    let name = match address {
        Some(_) => trim(&rest),
        None => raw.split_whitespace().collect::<Vec<_>>().join(" "),
    };
    let name = if name.is_empty() { address.unwrap_or_default().to_owned() } else { name };
    (!name.is_empty()).then_some(name)
}

/// The first word that is an e-mail address, and the text without it.
fn split_address(raw: &str) -> (Option<&str>, String) {
    let is_part = |c: char| !c.is_whitespace() && !"<>[](),;\"".contains(c);
    let Some(at) = raw.find('@') else { return (None, raw.to_owned()) };
    let start = raw[..at]
        .char_indices()
        .rev()
        .take_while(|(_, c)| is_part(*c))
        .last()
        .map_or(at, |(i, _)| i);
    let end = raw[at..].find(|c| !is_part(c)).map_or(raw.len(), |i| at + i);
    let address = raw[start..end].strip_prefix("mailto:").unwrap_or(&raw[start..end]);
    let is_address = start < at && raw[at + 1..end].contains('.');
    if !is_address {
        return (None, raw.to_owned());
    }
    (Some(address), format!("{} {}", &raw[..start], &raw[end..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_told_from_addresses() {
        for (raw, expected) in [
            ("Jane Roe", Some("Jane Roe")),
            ("editor@example.com (Jane Roe)", Some("Jane Roe")),
            ("Jane Roe <jane@example.com>", Some("Jane Roe")),
            ("jane@example.com", Some("jane@example.com")),
            ("mailto:jane@example.com", Some("jane@example.com")),
            ("(Jane  Roe) jane@example.com", Some("Jane Roe")),
            ("jane@example.com，Jane", Some("jane@example.com，Jane")),
            ("Jane @ Home", Some("Jane @ Home")),
            ("@jane", Some("@jane")),
            ("  ", None),
        ] {
            assert_eq!(name(raw).as_deref(), expected, "{raw}");
        }
    }
}
