//! Replays drives on a [`Phone`]: from a file, or synthetic ones.
//!
//! The actions of a user are commands here: start, finish, rename, publish.

pub mod people;

use std::time::Duration;

use tourismo_core::docs::{CarFields, Visibility};
use tourismo_core::fix::Fix;
use tourismo_core::id::DocId;
use tourismo_core::replica::io::{Command, CommandError, CommandOutcome, StorageFailure};
use tourismo_core::replica::views::DriveView;

use crate::phone::Phone;

/// Maximum time of a command that needs only the phone.
const COMMAND_PATIENCE: Duration = Duration::from_secs(60);

/// A drive to record.
#[derive(Clone, Debug)]
pub struct Ride {
    /// Its title; may be empty.
    pub title: String,
    /// Its car.
    pub car: Option<DocId>,
    /// The measurements, at least one fix, in the order in which the sensor reports them.
    pub fixes: Vec<Fix>,
}

/// The speed of a replay.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Pace {
    /// A multiple of the original speed. All of the phone's time runs as fast: with 60, a relay that answers within a
    /// second seems to take a minute.
    Times(f64),
    /// As fast as the machine can. The phone's clock jumps from fix to fix, so there must be no network meanwhile.
    Max,
}

/// Why a drive was not recorded properly.
#[derive(Debug, thiserror::Error)]
pub enum RideError {
    /// There is no fix.
    #[error("there is no fix to record")]
    Empty,
    /// The recorder accepted none of the fixes.
    #[error("none of the {fixes} fixes can be used")]
    AllRefused {
        /// The number of fixes.
        fixes: usize,
    },
    /// The recorder accepted almost nothing; see [`is_next_to_nothing`].
    #[error("only {kept} of {fixes} fixes can be used; the drive is not kept")]
    NextToNothing {
        /// The number of accepted fixes.
        kept: usize,
        /// The number of fixes.
        fixes: usize,
    },
    /// The replica refused a command because of a field.
    #[error("{command}: {field}: {expected}")]
    Invalid {
        /// The command.
        command: &'static str,
        /// The name of the field.
        field: &'static str,
        /// The values that are accepted.
        expected: &'static str,
    },
    /// The replica refused a command.
    #[error("{command}: {code}")]
    Refused {
        /// The command.
        command: &'static str,
        /// The code.
        code: CommandError,
    },
    /// The phone could not store it.
    #[error("{command}: the phone's storage fails: {failure:?}")]
    NotStored {
        /// The command.
        command: &'static str,
        /// The cause.
        failure: StorageFailure,
    },
    /// A command was not answered.
    #[error("{command}: no answer")]
    NoAnswer {
        /// The command.
        command: &'static str,
    },
}

impl Ride {
    /// Records the drive, names it, and returns it. The phone's clock stays at the end of the drive: with [`Pace::Max`]
    /// it stands.
    ///
    /// # Errors
    /// [`RideError`]. A drive with almost no accepted fixes is deleted again.
    pub async fn record(&self, phone: &mut Phone, pace: Pace) -> Result<DriveView, RideError> {
        let Some(first) = self.fixes.first() else { return Err(RideError::Empty) };
        phone.clock().set(first.recorded_at);
        phone.clock().set_rate(match pace {
            Pace::Times(rate) => rate,
            Pace::Max => 0.0,
        });
        let started = order(phone, "start the drive", Command::StartDrive { car: self.car }).await?;
        let drive = started.expect("a drive that was started has an id");
        for fix in &self.fixes {
            match pace {
                Pace::Times(_) => phone.run_until(fix.recorded_at).await,
                Pace::Max => phone.travel(fix.recorded_at),
            }
            phone.feed(*fix);
        }
        order(phone, "finish the drive", Command::FinishDrive).await?;
        let fixes = self.fixes.len();
        let kept = view(phone, drive).stats.map_or(0, |stats| stats.fixes as usize);
        if is_next_to_nothing(kept, fixes) {
            order(phone, "delete the drive", Command::DeleteDrive { drive }).await?;
            return Err(match kept {
                0 => RideError::AllRefused { fixes },
                kept => RideError::NextToNothing { kept, fixes },
            });
        }
        let naming = Command::EditDrive { drive, title: Some(self.title.clone()), notes: None, car: None };
        order(phone, "name the drive", naming).await?;
        Ok(view(phone, drive))
    }
}

/// Returns whether the accepted fixes are too few for a drive: none, or less than one in ten.
pub fn is_next_to_nothing(kept: usize, of: usize) -> bool {
    kept == 0 || kept * 10 < of
}

/// Publishes a drive.
///
/// # Errors
/// [`RideError::Refused`] with [`CommandError::NothingLeftToPublish`] if it stays near its ends, and others.
pub async fn publish(phone: &mut Phone, drive: DocId, visibility: Visibility) -> Result<DriveView, RideError> {
    order(phone, "publish the drive", Command::PublishDrive { drive, visibility }).await?;
    Ok(view(phone, drive))
}

/// Finishes the drive that an earlier run left unfinished, if there is one.
///
/// # Errors
/// [`RideError`] if that is refused.
pub async fn finish_left_behind(phone: &mut Phone) -> Result<Option<DocId>, RideError> {
    let now = phone.clock().now();
    match phone.replica().recording_view(now) {
        Some(_) => order(phone, "finish the drive of an earlier run", Command::FinishDrive).await,
        None => Ok(None),
    }
}

/// Returns the car of this name; makes it if the account has none.
///
/// # Errors
/// [`RideError`] if the name is refused.
pub async fn car(phone: &mut Phone, fields: CarFields) -> Result<DocId, RideError> {
    if let Some(car) = phone.replica().cars().into_iter().find(|car| car.fields.name() == fields.name()) {
        return Ok(car.id);
    }
    let made = order(phone, "make the car", Command::PutCar { car: None, fields }).await?;
    Ok(made.expect("a car that was made has an id"))
}

/// Performs a command that must succeed.
///
/// # Errors
/// [`RideError`] if it fails.
pub async fn order(phone: &mut Phone, name: &'static str, command: Command) -> Result<Option<DocId>, RideError> {
    match phone.command(command, COMMAND_PATIENCE).await {
        Some(CommandOutcome::Done { doc }) => Ok(doc),
        Some(
            CommandOutcome::Granted { grant: _ }
            | CommandOutcome::GrantChecked { .. }
            | CommandOutcome::ImportChecked { found: _ }
            | CommandOutcome::Attacked { looks: _ }
            | CommandOutcome::Fixes { .. }
            | CommandOutcome::RecoveryWords { .. }
            | CommandOutcome::RecoverySecret { .. }
            | CommandOutcome::WrongWords { .. }
            | CommandOutcome::Documents { .. }
            | CommandOutcome::Document { .. }
            | CommandOutcome::Token { .. },
        ) => Ok(None),
        Some(CommandOutcome::Refused { code }) => Err(RideError::Refused { command: name, code }),
        Some(CommandOutcome::Invalid { field, expected }) => Err(RideError::Invalid { command: name, field, expected }),
        Some(CommandOutcome::NotStored { failure }) => Err(RideError::NotStored { command: name, failure }),
        None => Err(RideError::NoAnswer { command: name }),
    }
}

fn view(phone: &Phone, drive: DocId) -> DriveView {
    let found = phone.replica().drives().into_iter().find(|view| view.id == drive);
    found.expect("a drive that was just recorded is on the list")
}
