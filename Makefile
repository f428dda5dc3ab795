# The few commands everybody runs.

.PHONY: check format lint test docs demo bench

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
