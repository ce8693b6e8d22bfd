use super::*;
use crate::docs::drive::DriveEdit;
use crate::replica::reconcile::fixture::{DRIVE, Phone};

/// Returns a phone with a published drive and its copy, which has another title and this visibility.
fn published(drive: Visibility, copy: Visibility) -> (Phone, DocId) {
    let mut phone = Phone::new();
    let id = phone.copy_id(0);
    phone.make_copy(id, copy);
    phone.edit_drive(&DriveEdit { title: Some("Pass"), published: Some((id, drive)), ..DriveEdit::default() });
    (phone, id)
}

fn merged(events: &[DocumentEvent]) -> CopyReconciler {
    let mut reconciler = CopyReconciler::default();
    events.iter().for_each(|event| reconciler.note(*event));
    reconciler
}

#[test]
fn the_copy_follows_a_drive_with_changes_of_two_devices() {
    let (mut phone, copy) = published(Visibility::Public, Visibility::Private);
    let mut reconciler = merged(&[DocumentEvent::Merged(DRIVE), DocumentEvent::Concurrent(DRIVE)]);
    reconciler.poll(&RedactionReconciler::settled(), &mut phone.context());
    assert_eq!(phone.shown(copy), ("Pass".to_owned(), Visibility::Public));
}

#[test]
fn a_drive_that_only_one_device_changed_narrows_its_copy_and_never_widens_it() {
    for (drive, copy, shown) in [
        (Visibility::Public, Visibility::Private, Visibility::Private),
        (Visibility::Private, Visibility::Public, Visibility::Private),
    ] {
        let (mut phone, id) = published(drive, copy);
        merged(&[DocumentEvent::Merged(DRIVE)]).poll(&RedactionReconciler::settled(), &mut phone.context());
        assert_eq!(phone.shown(id), ("Pass".to_owned(), shown));
    }
}

#[test]
fn a_copy_is_read_from_storage_and_nothing_is_evicted_until_it_follows() {
    let (mut phone, copy) = published(Visibility::Public, Visibility::Public);
    phone.unload(copy);
    let mut reconciler = merged(&[DocumentEvent::Merged(DRIVE)]);
    reconciler.poll(&RedactionReconciler::settled(), &mut phone.context());
    assert!(reconciler.is_aligning() && phone.disk_answers(copy));
    reconciler.poll(&RedactionReconciler::settled(), &mut phone.context());
    assert_eq!((phone.shown(copy).0, reconciler.is_aligning()), ("Pass".to_owned(), false));
}

#[test]
fn a_drive_that_arrives_before_its_copy_waits_for_it_and_reads_nothing() {
    let mut phone = Phone::new();
    let copy = phone.copy_id(0);
    phone.edit_drive(&DriveEdit {
        title: Some("Pass"),
        published: Some((copy, Visibility::Public)),
        ..DriveEdit::default()
    });
    let mut reconciler = merged(&[DocumentEvent::Merged(DRIVE), DocumentEvent::Concurrent(DRIVE)]);
    reconciler.poll(&RedactionReconciler::settled(), &mut phone.context());
    assert!(phone.output.effects.is_empty() && !reconciler.is_aligning());
    phone.make_copy(copy, Visibility::Private);
    reconciler.poll(&RedactionReconciler::settled(), &mut phone.context());
    assert_eq!(phone.shown(copy), ("Pass".to_owned(), Visibility::Public));
}

#[test]
fn a_copy_of_an_earlier_link_is_withdrawn() {
    let (mut phone, copy) = published(Visibility::Public, Visibility::Public);
    let renewed = phone.copy_id(1);
    phone.make_copy(renewed, Visibility::Public);
    let published = Some((renewed, Visibility::Public));
    phone.edit_drive(&DriveEdit { published, renewals: Some(1), ..DriveEdit::default() });
    merged(&[DocumentEvent::Merged(DRIVE)]).poll(&RedactionReconciler::settled(), &mut phone.context());
    assert_eq!((phone.shown(copy).1, phone.shown(renewed).1), (Visibility::Private, Visibility::Public));
}

#[test]
fn a_compared_copy_stays_in_memory_until_it_is_compared() {
    let (mut phone, copy) = published(Visibility::Public, Visibility::Public);
    phone.unload(copy);
    let mut reconciler = CopyReconciler::default();
    reconciler.unchecked.insert(copy);
    reconciler.poll(&RedactionReconciler::settled(), &mut phone.context());
    let account = phone.context().account;
    assert_eq!(reconciler.in_use(&phone.documents, &account), [copy]);
    assert!(phone.disk_answers(copy));
    reconciler.poll(&RedactionReconciler::settled(), &mut phone.context());
    assert!(reconciler.in_use(&phone.documents, &account).is_empty());
    assert_eq!(phone.shown(copy), ("Pass".to_owned(), Visibility::Public));
}
