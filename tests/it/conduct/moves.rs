//! Permanent moves are believed in time; temporary ones are followed each time.

use super::*;

#[test]
fn a_permanent_move_is_adopted_after_three_polls_over_two_days() {
    let server = Server::start();
    server.always("/old", Reply::redirect(301, "/between"));
    server.always("/between", Reply::redirect(308, "/new"));
    server.validated("/new", Reply::feed(rss(&["one"])).header("ETag", "1"));
    let program = one_feed(&server, "/old", "");
    rounds(&program, 4);
    assert_eq!(feed(&program, "effective_url"), server.url("/old"), "not before two days");
    assert_eq!(feed(&program, "moved_to"), server.url("/new"));
    let toml = std::fs::read(program.path("newsfold.toml")).unwrap();
    age(&program, 2 * DAY);
    round(&program);
    assert_eq!(feed(&program, "effective_url"), server.url("/new"));
    assert_eq!(server.requests("/old").len(), 5);
    rounds(&program, 2);
    assert_eq!(server.requests("/old").len(), 5, "the old one is not asked any more");
    let requests = server.requests("/new");
    assert_eq!(requests.len(), 7);
    assert_eq!(conditional(&requests).iter().filter(|it| !**it).count(), 1);
    assert_eq!(
        std::fs::read(program.path("newsfold.toml")).unwrap(),
        toml,
        "the configuration is not ours to write"
    );
}

#[test]
fn two_polls_are_no_move_however_far_apart() {
    let server = Server::start();
    server.always("/old", Reply::redirect(301, "/new"));
    server.always("/new", Reply::feed(rss(&["one"])));
    let program = one_feed(&server, "/old", "");
    round(&program);
    age(&program, 30 * DAY);
    round(&program);
    assert_eq!(feed(&program, "effective_url"), server.url("/old"));
}

#[test]
fn temporary_redirects_keep_asking_the_old_address() {
    for status in [302, 303, 307] {
        let server = Server::start();
        server.always("/old", Reply::redirect(status, "/new"));
        server.always("/new", Reply::feed(rss(&["one"])));
        let program = one_feed(&server, "/old", "");
        for _ in 0..4 {
            round(&program);
            age(&program, DAY);
        }
        assert_eq!(server.requests("/old").len(), 4);
        assert_eq!(
            feed(&program, "effective_url, moved_to IS NULL"),
            format!("{}|1", server.url("/old"))
        );
    }
}

#[test]
fn only_the_permanent_beginning_of_a_chain_is_adopted() {
    let server = Server::start();
    server.always("/old", Reply::redirect(301, "/between"));
    server.always("/between", Reply::redirect(302, "/new"));
    server.always("/new", Reply::feed(rss(&["one"])));
    let program = one_feed(&server, "/old", "poll.adopt_redirects_after = \"0s\"");
    round(&program);
    assert_eq!(feed(&program, "effective_url"), server.url("/between"));

    let server = Server::start();
    server.always("/old", Reply::redirect(302, "/between"));
    server.always("/between", Reply::redirect(301, "/new"));
    server.always("/new", Reply::feed(rss(&["one"])));
    let program = one_feed(&server, "/old", "poll.adopt_redirects_after = \"0s\"");
    round(&program);
    assert_eq!(feed(&program, "effective_url"), server.url("/old"));
}

#[test]
fn a_move_to_something_that_is_no_feed_is_not_believed() {
    let server = Server::start();
    server.always("/old", Reply::redirect(301, "/parking"));
    server.always("/parking", Reply::feed("<html><body>This domain is for sale</body></html>"));
    let program = one_feed(&server, "/old", "poll.adopt_redirects_after = \"0s\"");
    rounds(&program, 2);
    assert_eq!(feed(&program, "effective_url"), server.url("/old"));
}
