use std::time::Duration;

use tokio::time::timeout;

use super::listeners::MAX_BEHIND;
use super::*;

const ANNA: AccountId = AccountId::from_bytes([1; 16]);
const BEN: AccountId = AccountId::from_bytes([2; 16]);
const CLEO: AccountId = AccountId::from_bytes([3; 16]);

fn doc(number: u64) -> DocId {
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&number.to_be_bytes());
    DocId::from_bytes(bytes)
}

fn item(owner: AccountId, number: u64) -> BusEvent {
    BusEvent::Feed(FeedEvent::Item { owner, doc: doc(number) })
}

fn told(owner: AccountId, number: u64) -> Delivery {
    Delivery::Item { owner, doc: doc(number) }
}

async fn home(bus: &Arc<EventBus>, from: Option<EventId>) -> HomeListener {
    let listener = bus.listen_home(ANNA, from).unwrap();
    listener.follows(&[BEN]);
    listener
}

/// Returns whether nothing is delivered, however long one waits.
async fn is_silent(listener: &mut HomeListener) -> bool {
    timeout(Duration::from_secs(3_600), listener.next()).await.is_err()
}

#[tokio::test(start_paused = true)]
async fn r9_who_listens_is_told_what_happens_and_who_comes_back_what_happened_since() {
    let bus = EventBus::new(7);
    bus.announce(vec![item(BEN, 0)]);
    let mut listener = home(&bus, None).await;
    bus.announce(vec![item(BEN, 1), item(CLEO, 2), item(BEN, 3)]);
    assert_eq!(listener.next().await, told(BEN, 1));
    let id = EventId::parse(&listener.id().text()).unwrap();
    assert_eq!(listener.next().await, told(BEN, 3));
    assert!(is_silent(&mut listener).await);
    drop(listener);
    bus.announce(vec![item(BEN, 3), item(BEN, 4)]);
    let mut back = home(&bus, Some(id)).await;
    assert_eq!([back.next().await, back.next().await], [told(BEN, 3), told(BEN, 4)], "each once, in the newest state");
    assert!(is_silent(&mut back).await);
}

#[tokio::test(start_paused = true)]
async fn r9_who_is_far_behind_or_from_another_life_is_told_once_that_anything_may_be_different() {
    let bus = EventBus::new(7);
    let mut slow = home(&bus, None).await;
    bus.announce((0..=MAX_BEHIND as u64).map(|number| item(BEN, number)).collect());
    assert_eq!(slow.next().await, Delivery::Stale);
    assert!(is_silent(&mut slow).await);
    bus.announce(vec![item(BEN, 9)]);
    assert_eq!(slow.next().await, told(BEN, 9));
    bus.forget();
    assert_eq!(slow.next().await, Delivery::Stale);
    for id in ["8-0", "7-99999"] {
        let mut other = home(&bus, Some(EventId::parse(id).unwrap())).await;
        assert_eq!(other.next().await, Delivery::Stale, "{id}");
        assert!(is_silent(&mut other).await);
    }
    assert_eq!(["", "7", "x-1", "7-x", "7-1-1"].map(EventId::parse), [None; 5]);
}

#[tokio::test(start_paused = true)]
async fn r9_what_others_do_neither_wakes_a_stream_nor_makes_it_miss_anything() {
    let bus = EventBus::new(7);
    let mut listener = home(&bus, None).await;
    assert!(is_silent(&mut listener).await);
    for round in 0..300 {
        let accepted = (0..50).map(|number| {
            let follower = AccountId::from_bytes(*doc(1_000 + round * 50 + number).as_bytes());
            BusEvent::Feed(FeedEvent::Access { follower, owner: AccountId::from_bytes(*doc(round).as_bytes()) })
        });
        bus.announce(accepted.collect());
        assert!(is_silent(&mut listener).await);
    }
    bus.announce(vec![item(BEN, 1)]);
    assert_eq!(listener.next().await, told(BEN, 1));
    bus.announce(vec![BusEvent::Feed(FeedEvent::Access { follower: ANNA, owner: CLEO })]);
    assert_eq!(listener.next().await, Delivery::Stale);
}

#[tokio::test(start_paused = true)]
async fn r9_a_meet_wakes_those_who_watch_it_and_whom_its_owner_shuts_out() {
    let bus = EventBus::new(7);
    let mut anna = bus.listen_meet(StreamClient::Account(ANNA), doc(1), BEN).unwrap();
    let address: std::net::IpAddr = [192, 0, 2, 1].into();
    let mut anyone = bus.listen_meet(StreamClient::Source(address.into()), doc(1), BEN).unwrap();
    let is_woken = async |listener: &mut MeetListener| timeout(Duration::from_secs(60), listener.next()).await.is_ok();
    bus.announce(vec![BusEvent::Meet { doc: doc(2) }, BusEvent::Block { owner: CLEO, viewer: ANNA }]);
    assert!(!is_woken(&mut anna).await && !is_woken(&mut anyone).await);
    for _ in 0..100 {
        bus.announce(vec![BusEvent::Meet { doc: doc(1) }]);
    }
    assert!(is_woken(&mut anna).await && is_woken(&mut anyone).await);
    assert!(!is_woken(&mut anna).await, "a hundred at once are told once");
    bus.announce(vec![BusEvent::Block { owner: BEN, viewer: ANNA }]);
    assert!(is_woken(&mut anna).await && !is_woken(&mut anyone).await);
}

#[tokio::test]
async fn streams_are_bounded_and_give_their_places_back() {
    let bus = EventBus::new(7);
    let listeners: Vec<_> = (0..MAX_STREAMS_OF_ACCOUNT).map(|_| bus.listen_home(ANNA, None).unwrap()).collect();
    assert_eq!(bus.listen_home(ANNA, None).err(), Some(TooManyStreams));
    assert!(bus.listen_home(BEN, None).is_ok());
    drop(listeners);
    assert!(bus.listen_home(ANNA, None).is_ok());
    let state = bus.lock();
    assert!(state.of_client.is_empty() && state.streams.is_empty() && state.followees.is_empty());
}
