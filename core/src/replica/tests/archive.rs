//! Archives of an account: imported into an empty account they give the same content, once, whatever happens meanwhile.

use automerge::Automerge;
use proptest::prelude::*;

use super::importing::any_file;
use super::*;
use crate::change::split_chunks;
use crate::docs::settings::{self, Units};
use crate::docs::social::Relation;
use crate::docs::track::{self, ListedFix};
use crate::docs::{
    CarFields, Cost, LogEntry, LogItem, LogKind, MeetFields, ProfileFields, SettingsFields, Visibility, automerge_doc,
};
use crate::fix::Fix;
use crate::geodesy::Position;
use crate::id::{AccountId, DocId};
use crate::privacy::places::{Place, PlaceKind, PlaceSecret, ZoneSize};
use crate::replica::io::{ArchivedDocument, CommandError, DocumentRef, ImportMatch};
use crate::replica::views::{DriveSync, DriveView, FollowView};
use crate::testing::eastward;
use crate::track::Stretch;
use crate::wire::DocKind;

impl Bench {
    fn documents(&mut self) -> Vec<DocumentRef> {
        match self.order(Command::ListDocuments) {
            CommandOutcome::Documents { documents } => documents,
            other => panic!("{other:?}"),
        }
    }

    fn whole(&mut self, doc: DocId) -> ByteBuf {
        match self.order(Command::ReadDocument { doc }) {
            CommandOutcome::Document { bytes } => bytes,
            other => panic!("{other:?}"),
        }
    }

    /// A whole document. It may be evicted from the phone's memory as soon as it was read.
    fn read(&mut self, doc: DocId) -> Automerge {
        let bytes = self.whole(doc);
        automerge_doc::load(&[0; 16], split_chunks(&bytes).unwrap()).unwrap()
    }

    /// Everything, in the order of an archive: drives come last.
    fn archive(&mut self) -> Vec<ArchivedDocument> {
        let mut documents = self.documents();
        documents.sort_by_key(|document| document.kind == DocKind::Drive);
        documents
            .into_iter()
            .map(|DocumentRef { kind, id, track }| {
                let track = track.map(|track| self.whole(track));
                ArchivedDocument { kind, id, bytes: self.whole(id), track }
            })
            .collect()
    }

    fn import_all(&mut self, archive: &[ArchivedDocument]) {
        for document in archive {
            let outcome = self.order(Command::ImportDocument { document: document.clone() });
            assert!(matches!(outcome, CommandOutcome::Done { .. }), "{:?}: {outcome:?}", document.kind);
        }
    }

    /// Everything that a person sees, without ids that differ between accounts.
    fn content(&mut self) -> Content {
        let drives = self.replica.drives();
        let car_name = |car: Option<DocId>| {
            self.replica.cars().into_iter().find(|view| Some(view.id) == car).map(|view| view.fields.name())
        };
        let mut names: Vec<Option<String>> = drives.iter().map(|drive| car_name(drive.car)).collect();
        let mut content = Content {
            drives: drives.into_iter().map(|drive| self.whole_drive(drive, names.remove(0))).collect(),
            cars: self
                .replica
                .cars()
                .into_iter()
                .map(|car| (car.fields, car.drives, car.odometer_m, car.log))
                .collect(),
            meets: self.replica.meets().into_iter().map(|meet| (meet.fields, meet.organisers)).collect(),
            settings: self.replica.account().settings,
            profile: self.replica.account().profile,
            follows: self.replica.social().follows,
            accepted: self.replica.social().accepted,
            blocked: self.replica.social().blocked,
        };
        // Of drives that began at the same time the order is that of ids. Cars are in the order of ids.
        content.drives.sort_by_cached_key(|drive| format!("{:?} {:?}", drive.view, drive.car));
        content.cars.sort_by_key(|car| car.0.name());
        content.meets.sort_by_key(|meet| meet.0.title.clone());
        content
    }

    fn whole_drive(&mut self, view: DriveView, car: Option<String>) -> WholeDrive {
        let track = self.documents().into_iter().find(|document| document.id == view.id).and_then(|found| found.track);
        let track = self.read(track.expect("a finished drive has a track"));
        let (stretches, refused) = (track::stretches(&track), track::refused(&track));
        let nobody = DocId::from_bytes([0; 16]);
        WholeDrive {
            view: DriveView { id: nobody, car: None, sync: DriveSync::Saving, ..view },
            car,
            stretches,
            refused,
        }
    }

    fn count(&self, kind: DocKind) -> usize {
        self.replica.documents.records().filter(|(_, record)| record.kind == kind).count()
    }
}

impl Content {
    /// Returns the names of what differs, since the contents are too long to be read.
    fn differs_in(&self, other: &Content) -> Vec<String> {
        let mut differing = Vec::new();
        let mut check = |name: &str, is_equal: bool| {
            if !is_equal {
                differing.push(name.to_owned());
            }
        };
        check("number of drives", self.drives.len() == other.drives.len());
        for (ours, theirs) in self.drives.iter().zip(&other.drives) {
            check(&format!("view {:?} {:?}", ours.view, theirs.view), ours.view == theirs.view);
            check(&format!("car {:?} {:?}", ours.car, theirs.car), ours.car == theirs.car);
            check("stretches", ours.stretches == theirs.stretches);
            check("refused fixes", ours.refused == theirs.refused);
        }
        check(&format!("cars {:?} {:?}", self.cars, other.cars), self.cars == other.cars);
        check(&format!("meets {:?} {:?}", self.meets, other.meets), self.meets == other.meets);
        check("settings", self.settings == other.settings);
        check("profile", self.profile == other.profile);
        let relations =
            |content: &Content| (content.follows.clone(), content.accepted.clone(), content.blocked.clone());
        check("relations", relations(self) == relations(other));
        differing
    }
}

#[derive(Clone, Debug, PartialEq)]
struct Content {
    drives: Vec<WholeDrive>,
    cars: Vec<(CarFields, u32, Option<f64>, Vec<LogItem>)>,
    meets: Vec<(MeetFields, Vec<AccountId>)>,
    settings: SettingsFields,
    profile: ProfileFields,
    follows: Vec<FollowView>,
    accepted: Vec<AccountId>,
    blocked: Vec<AccountId>,
}

#[derive(Clone, Debug, PartialEq)]
struct WholeDrive {
    view: DriveView,
    car: Option<String>,
    stretches: Vec<Stretch>,
    refused: Vec<ListedFix>,
}

/// A step of somebody who uses the app.
#[derive(Clone, Debug)]
enum Step {
    /// Records a drive, pauses it in the middle, and takes refused fixes back.
    Record {
        fixes: Vec<Fix>,
        title: String,
        car: Option<usize>,
        takes_back: bool,
    },
    /// Imports the drive of a file.
    Import {
        fixes: Vec<Fix>,
        source: u8,
    },
    /// Deletes a drive.
    Delete(usize),
    Car {
        fields: CarFields,
        log: Vec<LogEntry>,
    },
    Meet {
        fields: MeetFields,
        organiser: Option<u8>,
    },
    Settings(SettingsFields),
    Profile(ProfileFields),
    Relate {
        account: u8,
        relation: Relation,
        holds: bool,
    },
}

fn step() -> impl Strategy<Value = Step> {
    let title = "[a-z\u{e9}\u{1f697}]{0,12}";
    let entry =
        (0..3_usize, 0..1_000_000_i64, any::<bool>(), "[a-z]{0,9}").prop_map(|(kind, seconds, has_cost, note)| {
            LogEntry {
                kind: [LogKind::Odometer, LogKind::Fuel, LogKind::Service][kind],
                at: WALL + seconds,
                odometer_m: (kind == 0).then_some(seconds as f64),
                litres: (kind == 1).then_some(41.2),
                cost: has_cost.then(|| Cost { minor: seconds, currency: "EUR".to_owned() }),
                note,
            }
        });
    let car =
        ("[a-z]{1,9}", any::<bool>(), prop::collection::vec(entry, 0..6)).prop_map(|(nickname, is_public, log)| {
            let fields =
                CarFields { nickname, is_public, year: Some(1990), make: "Mazda".to_owned(), ..CarFields::default() };
            Step::Car { fields, log }
        });
    let visibility = prop_oneof![Just(Visibility::Public), Just(Visibility::Link), Just(Visibility::Followers)];
    let meet = ("[a-z]{1,9}", visibility, any::<bool>(), prop::option::of(20..24_u8)).prop_map(
        |(title, visibility, cancelled, organiser)| {
            let place = Some([10.4, 46.5]);
            let fields =
                MeetFields { title, visibility, cancelled, position: place, starts_at: WALL, ..MeetFields::default() };
            Step::Meet { fields, organiser }
        },
    );
    let relation = prop_oneof![Just(Relation::Follow), Just(Relation::Accept), Just(Relation::Block)];
    prop_oneof![
        3 => (any_file(200), title, prop::option::of(0..3_usize), any::<bool>()).prop_map(
            |(fixes, title, car, takes_back)| Step::Record { fixes, title, car, takes_back }
        ),
        1 => (any_file(200), 0..2_u8).prop_map(|(fixes, source)| Step::Import { fixes, source }),
        1 => (0..3_usize).prop_map(Step::Delete),
        2 => car,
        1 => meet,
        1 => any::<bool>().prop_map(|imperial| Step::Settings(SettingsFields {
            units: if imperial { Units::Imperial } else { Units::Metric },
            default_visibility: Visibility::Followers,
        })),
        1 => ("[a-z]{2,9}", any::<bool>()).prop_map(|(handle, by_approval)| {
            Step::Profile(ProfileFields { display_name: handle.clone(), handle, bio: "Hello".to_owned(), by_approval })
        }),
        3 => (20..24_u8, relation, any::<bool>()).prop_map(|(account, relation, holds)| {
            Step::Relate { account, relation, holds }
        }),
    ]
}

impl Bench {
    fn act(&mut self, step: Step) {
        match step {
            Step::Record { fixes, title, car, takes_back } => self.act_record(&fixes, title, car, takes_back),
            Step::Import { fixes, source } => drop(self.import([source; 32], "From a file", &fixes)),
            Step::Delete(index) => {
                if let Some(drive) = self.replica.drives().get(index).map(|drive| drive.id) {
                    self.order(Command::DeleteDrive { drive });
                }
            }
            Step::Car { fields, log } => {
                let CommandOutcome::Done { doc: Some(car) } = self.order(Command::PutCar { car: None, fields }) else {
                    panic!("a car")
                };
                for fields in log {
                    self.order(Command::PutLogEntry { car, entry: None, fields });
                }
            }
            Step::Meet { fields, organiser } => {
                let put = Command::PutMeet { meet: None, fields, seen_at: None };
                let CommandOutcome::Done { doc: Some(meet) } = self.order(put) else { panic!("a meet") };
                if let Some(account) = organiser {
                    let account = AccountId::from_bytes([account; 16]);
                    self.order(Command::GrantOrganiser { meet, account, may: true });
                }
            }
            Step::Settings(fields) => drop(self.order(Command::PutSettings { fields })),
            Step::Profile(fields) => drop(self.order(Command::PutProfile { fields })),
            Step::Relate { account, relation, holds } => {
                let account = AccountId::from_bytes([account; 16]);
                self.order(Command::Relate { account, relation, holds });
            }
        }
    }

    fn act_record(&mut self, fixes: &[Fix], title: String, car: Option<usize>, takes_back: bool) {
        let car = car.and_then(|index| Some(self.replica.cars().get(index)?.id));
        let Some((first, last)) = fixes.first().zip(fixes.last()) else { return };
        self.order_at(first.fixed_at, Command::StartDrive { car });
        for (index, fix) in fixes.iter().enumerate() {
            self.tell_at(self.now(fix.fixed_at), Input::Fix { fix: *fix, arrived_ms: None });
            if index == fixes.len() / 2 {
                self.order_at(fix.fixed_at, Command::PauseDrive);
                self.order_at(fix.fixed_at, Command::ResumeDrive);
            }
        }
        let finished = self.order_at(last.fixed_at, Command::FinishDrive);
        let CommandOutcome::Done { doc: Some(drive) } = finished else { panic!("{finished:?}") };
        let notes = Some("Notes\nof two lines".to_owned());
        self.order(Command::EditDrive { drive, title: Some(title), notes, car: None });
        if takes_back {
            let track =
                self.documents().into_iter().find(|document| document.id == drive).and_then(|found| found.track);
            let refused = track::refused(&self.read(track.expect("a track")));
            let fixes = refused.into_iter().step_by(2).map(|refused| refused.id).collect();
            self.order(Command::TakeBackRefused { drive, fixes, holds: true });
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn an_archive_that_is_imported_into_an_empty_account_gives_the_same_content(
        steps in prop::collection::vec(step(), 0..12),
    ) {
        let (mut phone, mut other) = (Bench::new(), Bench::of_account(8, Vec::new()));
        steps.into_iter().for_each(|step| phone.act(step));
        let archive = phone.archive();
        let content = phone.content();
        other.import_all(&archive);
        let same: Vec<String> = Vec::new();
        prop_assert_eq!(other.content().differs_in(&content), same.clone());
        other.import_all(&archive);
        prop_assert_eq!(other.content().differs_in(&content), same.clone(), "imported twice");
        phone.import_all(&archive);
        prop_assert_eq!(phone.content().differs_in(&content), same.clone(), "imported into its own account");
        let mut third = Bench::of_account(9, Vec::new());
        let again = other.archive();
        third.import_all(&again);
        prop_assert_eq!(third.content().differs_in(&content), same, "an archive of what was imported");
    }
}

/// A phone with a car, two drives with it, a meet and a follow.
fn someone() -> Bench {
    let mut phone = Bench::new();
    let fields = CarFields { nickname: "Rosi".to_owned(), ..CarFields::default() };
    let entry = LogEntry {
        kind: LogKind::Odometer,
        at: WALL,
        odometer_m: Some(5.0),
        litres: None,
        cost: None,
        note: String::new(),
    };
    phone.act(Step::Car { fields, log: vec![entry.clone(), entry] });
    let later =
        |fixes: Vec<Fix>| fixes.into_iter().map(|fix| Fix { fixed_at: fix.fixed_at + 90_000_000, ..fix }).collect();
    phone.act(Step::Record { fixes: eastward(&[(90, 15.0)]), title: "Up".to_owned(), car: Some(0), takes_back: false });
    phone.act(Step::Record {
        fixes: later(eastward(&[(400, 25.0)])),
        title: "Down".to_owned(),
        car: Some(0),
        takes_back: false,
    });
    let fields = MeetFields { title: "Cars & Coffee".to_owned(), starts_at: WALL, ..MeetFields::default() };
    phone.act(Step::Meet { fields, organiser: None });
    phone.act(Step::Relate { account: 20, relation: Relation::Follow, holds: true });
    phone
}

/// Imports an archive into an empty account on a phone that is killed after some transactions, as often as there are
/// transactions, and imports it again after the restart.
///
/// # Errors
/// The kill after which something is lost, doubled or left over.
fn survives_kills(inject: impl Fn(&mut Bench)) -> Result<(), String> {
    let mut phone = someone();
    let (archive, content) = (phone.archive(), phone.content());
    let start = |stored: Vec<StoredEntry>| {
        let mut phone = Bench::of_account(8, stored);
        inject(&mut phone);
        phone.tell(Input::Start);
        phone.sync_disk();
        phone
    };
    let mut undisturbed = start(Vec::new());
    undisturbed.transactions = Some(vec![Vec::new()]);
    undisturbed.import_all(&archive);
    let kills = undisturbed.transactions.take().expect("it was set above");
    assert!(kills.len() > archive.len(), "each document is a transaction at least");
    for (kill, stored) in kills.into_iter().enumerate() {
        let mut phone = start(stored);
        phone.import_all(&archive);
        let (drives, tracks) = (phone.count(DocKind::Drive), phone.count(DocKind::Track));
        if (drives, tracks) != (2, 2) {
            return Err(format!("killed after {kill} transactions: {drives} drives, {tracks} tracks"));
        }
        if phone.content() != content {
            return Err(format!("killed after {kill} transactions: the content differs"));
        }
    }
    Ok(())
}

#[test]
fn an_import_that_a_kill_interrupts_is_complete_once_it_is_repeated() {
    assert_eq!(survives_kills(|_| {}), Ok(()));
}

#[cfg(feature = "faults")]
#[test]
fn an_import_under_new_ids_or_in_several_transactions_would_be_noticed() {
    use crate::replica::Fault;
    for fault in [Fault::ImportsUnderNewIds, Fault::SplitsTransactions] {
        let survived = survives_kills(|phone| phone.replica.inject(fault));
        assert!(survived.is_err(), "{fault:?}");
    }
}

#[test]
fn documents_of_an_archive_are_found_if_they_are_here() {
    let mut phone = someone();
    let mut other = Bench::of_account(8, Vec::new());
    let (documents, archive) = (phone.documents(), phone.archive());
    let check = |phone: &mut Bench| match phone.order(Command::CheckDocuments { documents: documents.clone() }) {
        CommandOutcome::ImportChecked { found } => found.iter().filter(|found| **found != ImportMatch::New).count(),
        outcome => panic!("{outcome:?}"),
    };
    assert_eq!((check(&mut phone), check(&mut other)), (documents.len(), 0));
    other.import_all(&archive);
    assert_eq!(check(&mut other), documents.len());
    let drive = other.replica.drives()[0].id;
    other.order(Command::DeleteDrive { drive });
    assert_eq!(check(&mut other), documents.len() - 1, "a deleted drive is imported again");
    other.import_all(&archive);
    assert_eq!((check(&mut other), other.replica.drives().len()), (documents.len(), 2));
}

#[test]
fn a_file_and_an_archive_with_its_drive_make_one_drive() {
    let (mut phone, mut other) = (Bench::new(), Bench::of_account(8, Vec::new()));
    let fixes = eastward(&[(90, 15.0)]);
    phone.imported([5; 32], &fixes);
    let archive = phone.archive();
    let drive = other.imported([5; 32], &fixes);
    other.import_all(&archive);
    assert_eq!(other.replica.drives().iter().map(|drive| drive.id).collect::<Vec<_>>(), [drive]);
    let mut third = Bench::of_account(9, Vec::new());
    third.import_all(&archive);
    third.imported([5; 32], &fixes);
    assert_eq!(third.replica.drives().len(), 1);
}

#[test]
fn what_this_account_has_stays_and_places_are_added() {
    let mut archived = automerge_doc::new(&[1; 16]);
    let imperial = SettingsFields { units: Units::Imperial, ..SettingsFields::default() };
    settings::put(&mut archived, &imperial).unwrap();
    let place = Place {
        id: DocId::from_bytes([3; 16]),
        position: Position { lat_deg: 46.5, lon_deg: 10.4 },
        secret: PlaceSecret([3; 16]),
        is_found: false,
        kind: PlaceKind::Home,
        size: ZoneSize::Large,
    };
    settings::add_places(&mut archived, &[place]).unwrap();
    let bytes = ByteBuf::from(automerge_doc::snapshot(&archived));
    let document = ArchivedDocument { kind: DocKind::Settings, id: DocId::from_bytes([9; 16]), bytes, track: None };
    let metric = SettingsFields { default_visibility: Visibility::Public, ..SettingsFields::default() };
    let (mut new, mut used) = (Bench::new(), Bench::new());
    used.act(Step::Settings(metric));
    for (phone, expected) in [(&mut new, imperial), (&mut used, metric)] {
        phone.import_all(&[document.clone(), document.clone()]);
        assert_eq!(phone.replica.account().settings, expected);
        let exported = phone.documents().into_iter().find(|document| document.kind == DocKind::Settings).unwrap();
        phone.whole(exported.id);
        let here = phone.replica.documents.loaded(&exported.id).map(|doc| settings::places(doc));
        assert_eq!(here, Some(vec![place]));
    }
    used.act(Step::Relate { account: 20, relation: Relation::Block, holds: true });
    used.import_all(&someone().archive());
    assert_eq!((used.replica.social().follows.len(), used.replica.social().blocked.len()), (0, 1));
}

#[test]
fn a_document_that_is_damaged_or_hostile_is_refused_and_changes_nothing() {
    let archive = someone().archive();
    let mut phone = Bench::of_account(8, Vec::new());
    let before = phone.replica.documents.records().count();
    for document in &archive {
        let cut = ByteBuf::from(document.bytes[..document.bytes.len() / 2].to_vec());
        let mut changed = document.bytes.clone();
        changed[20] ^= 1;
        let first = split_chunks(&document.bytes).unwrap()[0].len();
        let later = ByteBuf::from(document.bytes[first..].to_vec());
        for bytes in [cut, changed, later, ByteBuf::new(), ByteBuf::from([0; 100])] {
            let document = ArchivedDocument { bytes, ..document.clone() };
            let outcome = phone.order(Command::ImportDocument { document });
            assert_eq!(outcome, CommandOutcome::Refused { code: CommandError::Unreadable });
        }
    }
    let drive = archive.iter().find(|document| document.kind == DocKind::Drive).unwrap();
    let car = archive.iter().find(|document| document.kind == DocKind::Car).unwrap();
    let swapped = ArchivedDocument { bytes: car.bytes.clone(), ..drive.clone() };
    let outcome = phone.order(Command::ImportDocument { document: swapped });
    assert_eq!(outcome, CommandOutcome::Refused { code: CommandError::NotFinished });
    for document in [
        ArchivedDocument { track: None, ..drive.clone() },
        ArchivedDocument { kind: DocKind::Track, ..car.clone() },
        ArchivedDocument { track: drive.track.clone(), ..car.clone() },
    ] {
        assert!(matches!(phone.order(Command::ImportDocument { document }), CommandOutcome::Invalid { .. }));
    }
    let mut hostile = automerge_doc::new(&[1; 16]);
    crate::docs::track::create(&mut hostile).unwrap();
    crate::docs::track::add_block(&mut hostile, "x", 0, vec![7; 600_000]).unwrap();
    let track = Some(ByteBuf::from(automerge_doc::snapshot(&hostile)));
    let outcome = phone.order(Command::ImportDocument { document: ArchivedDocument { track, ..drive.clone() } });
    assert_eq!(outcome, CommandOutcome::Refused { code: CommandError::Unreadable });
    assert_eq!(phone.replica.documents.records().count(), before);
}
