# The few commands everybody runs.

.PHONY: check format lint test docs demo bench deb

check: format lint test docs

format:
	cargo fmt --check

lint:
	cargo clippy --all-targets -- -D warnings

test:
	cargo test

docs:
	RUSTDOCFLAGS="-D warnings" cargo doc --no-deps --document-private-items

demo:
	cargo run --release -- -c config/demo.toml once

bench:
	cargo bench

# The Debian package, into target/debian. Needs cargo-deb: cargo install cargo-deb
deb:
	cargo build --release --locked
	mkdir -p target/package/man
	cargo run --release --quiet -- man target/package/man
	for shell in bash zsh fish; do cargo run --release --quiet -- completions $$shell >target/package/newsfold.$$shell || exit; done
	cargo deb --no-build
