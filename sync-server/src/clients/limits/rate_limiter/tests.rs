use std::net::IpAddr;

use tokio::time::advance;

use super::super::client_table::MAX_REMEMBERED;
use super::*;

fn source(address: &str) -> Source {
    Source::from(address.parse::<IpAddr>().unwrap())
}

fn account(number: u8) -> AccountId {
    AccountId::from_bytes([number; 16])
}

#[tokio::test(start_paused = true)]
async fn requests_are_refused_beyond_twenty_seconds_worth_and_come_back_with_time() {
    let limiter = RateLimiter::new(Limits { max_requests_per_second: 2, ..Limits::DEFAULT });
    let (here, there) = (source("192.0.2.1"), source("192.0.2.2"));
    assert_eq!((0..50).filter(|_| limiter.request(here).is_ok()).count(), 40);
    assert_eq!(limiter.request(here), Err(RateLimited { retry_in: Duration::from_millis(500) }));
    assert_eq!(limiter.request(there), Ok(()), "another address is not concerned");
    advance(Duration::from_secs(1)).await;
    assert_eq!((0..50).filter(|_| limiter.request(here).is_ok()).count(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_phone_that_comes_home_with_five_thousand_documents_does_not_wait() {
    let limiter = RateLimiter::new(Limits::DEFAULT);
    for _ in 0..10 {
        assert_eq!(limiter.push(account(1), 1_000, 500_000, Duration::ZERO), Ok(Duration::ZERO));
        assert_eq!(limiter.message(account(1)), Duration::ZERO);
    }
}

#[tokio::test(start_paused = true)]
async fn who_pushes_without_end_waits_for_as_long_as_the_rate_says() {
    let limiter = RateLimiter::new(Limits { max_changes_per_second: 100, ..Limits::DEFAULT });
    let push = |number| limiter.push(account(number), 1_000, 0, Duration::from_secs(15)).map(|wait| wait.as_secs());
    assert_eq!([push(1), push(1), push(1)], [Ok(0), Ok(0), Ok(10)]);
    for _ in 0..2 {
        assert_eq!(push(1), Err(RateLimited { retry_in: Duration::from_secs(20) }), "what is put off is not counted");
    }
    assert_eq!(push(2), Ok(0), "another account is not concerned");
    limiter.charge(account(2), 1_500);
    assert_eq!(push(2), Ok(15), "work for an account counts like its changes");
}

#[tokio::test(start_paused = true)]
async fn new_accounts_are_counted_by_the_hour() {
    let limiter = RateLimiter::new(Limits { max_new_accounts_per_hour: 3, ..Limits::DEFAULT });
    let here = source("2001:db8::1");
    assert_eq!((0..9).filter(|_| limiter.found_account(here).is_ok()).count(), 3);
    assert!(limiter.found_account(source("2001:db8::2:1")).is_err(), "the same /64");
    assert_eq!(limiter.found_account(source("2001:db8:0:1::1")), Ok(()), "another /64");
    advance(Duration::from_secs(1_200)).await;
    assert_eq!((0..9).filter(|_| limiter.found_account(here).is_ok()).count(), 1);
    let closed = RateLimiter::new(Limits { max_new_accounts_per_hour: 0, ..Limits::DEFAULT });
    assert!(closed.found_account(here).is_err(), "nobody who is new");
}

#[tokio::test(start_paused = true)]
async fn a_place_is_free_again_when_its_holder_has_gone() {
    let limits = Limits { max_connections_per_address: 2, max_connections_per_account: 1, ..Limits::DEFAULT };
    let limiter = RateLimiter::new(limits);
    let here = source("::ffff:192.0.2.1");
    let places = [here, source("192.0.2.1")].map(|source| limiter.admit_source(source));
    assert!(places.iter().all(Option::is_some) && limiter.admit_source(here).is_none(), "one address twice");
    drop(places);
    assert!(limiter.admit_source(here).is_some());
    let place = limiter.admit_account(account(1));
    assert!(place.is_some() && limiter.admit_account(account(1)).is_none());
    drop(place);
    assert!(limiter.admit_account(account(1)).is_some());
}

#[tokio::test(start_paused = true)]
async fn the_networks_of_one_customer_share_four_times_what_one_of_them_has() {
    let limits = Limits {
        max_connections_per_address: 2,
        max_streams_per_address: 1,
        max_requests_per_second: 1,
        ..Limits::DEFAULT
    };
    let limiter = RateLimiter::new(limits);
    let address = |number: u16| source(&format!("2001:db8:7:{number:x}::1"));
    let places: Vec<ConnectionPermit> = (0..100).filter_map(|number| limiter.admit_source(address(number))).collect();
    assert_eq!(places.len(), 8);
    assert_eq!((0..100).filter_map(|number| limiter.admit_stream(address(number))).collect::<Vec<_>>().len(), 4);
    assert_eq!((0..1_000).filter(|number| limiter.request(address(*number)).is_ok()).count(), 80);
    let elsewhere = source("2001:db8:8::1");
    assert!(limiter.admit_source(elsewhere).is_some() && limiter.request(elsewhere).is_ok());
    drop(places);
    assert!(limiter.admit_source(address(0)).is_some(), "who leaves makes room in the network, too");
    let refused_alone: Vec<_> = (0..5).map(|_| limiter.admit_source(address(1))).collect();
    assert_eq!(refused_alone.iter().flatten().count(), 2);
    let others: Vec<_> = (2..5).flat_map(|number| [(); 2].map(|()| limiter.admit_source(address(number)))).collect();
    assert_eq!(others.iter().flatten().count(), 6, "who is refused takes nothing from the network");
}

#[tokio::test(start_paused = true)]
async fn a_flood_of_addresses_is_not_remembered_without_end() {
    let limiter = RateLimiter::new(Limits::DEFAULT);
    let address = |number: usize| Source::from(IpAddr::from((number as u32 + (1 << 24)).to_be_bytes()));
    for number in 0..MAX_REMEMBERED + 1_000 {
        assert_eq!(limiter.request(address(number)), Ok(()));
    }
    assert_eq!(lock(&limiter.sources).hosts.entries.len(), MAX_REMEMBERED);
    let others = (0..5_000).filter(|number| limiter.request(address(MAX_REMEMBERED + number)).is_ok()).count();
    assert_eq!(others, 1_000, "those that are too many share what one may take");
    advance(Duration::from_secs(60)).await;
    assert_eq!(limiter.request(address(0)), Ok(()));
    assert_eq!(limiter.request(address(MAX_REMEMBERED)), Ok(()));
    assert_eq!(lock(&limiter.sources).hosts.entries.len(), 2, "who owes nothing is forgotten");
}

#[tokio::test(start_paused = true)]
async fn posts_to_an_inbox_are_limited_and_do_not_slow_its_account() {
    let limiter = RateLimiter::new(Limits { max_changes_per_second: 10, ..Limits::DEFAULT });
    assert!((0..200).all(|_| limiter.post_to_inbox(account(1), 1).is_ok()));
    assert!(limiter.post_to_inbox(account(1), 1).is_err());
    assert_eq!(limiter.push(account(1), 200, 0, Duration::ZERO), Ok(Duration::ZERO));
    assert_eq!(limiter.post_to_inbox(account(2), 200), Ok(()));
    advance(Duration::from_secs(1)).await;
    assert_eq!((0..20).filter(|_| limiter.post_to_inbox(account(1), 1).is_ok()).count(), 10);
}
