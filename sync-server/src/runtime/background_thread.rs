//! A thread that does one piece of work after the other.
//!
//! For work that takes much memory for a moment: an allocator keeps for each thread what the thread once took, so that the
//! same work on many threads holds that memory many times. This does not know what the work is.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc;
use std::thread;

use tokio::sync::oneshot;

type Job = Box<dyn FnOnce() + Send>;

/// The thread, which ends when this is dropped and all that waits is done.
#[derive(Debug)]
pub(crate) struct BackgroundThread(mpsc::Sender<Job>);

/// The work panicked, or the thread could not be started.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Failed;

impl BackgroundThread {
    /// Starts a thread of this name.
    ///
    /// # Errors
    /// If the system starts no more threads.
    pub(crate) fn start(name: &str) -> std::io::Result<BackgroundThread> {
        BackgroundThread::spawn(name, || {})
    }

    /// The same for work that nobody waits for: where the system has priorities of threads, everything else comes first.
    ///
    /// # Errors
    /// If the system starts no more threads.
    pub(crate) fn start_beside(name: &str) -> std::io::Result<BackgroundThread> {
        BackgroundThread::spawn(name, || yield_to_others(NICE))
    }

    fn spawn(name: &str, first: fn()) -> std::io::Result<BackgroundThread> {
        let (sender, jobs) = mpsc::channel::<Job>();
        thread::Builder::new().name(name.to_owned()).spawn(move || {
            first();
            for job in jobs {
                // Whoever waits for a job that panicked sees that its answer never comes.
                let _ = catch_unwind(AssertUnwindSafe(job));
            }
        })?;
        Ok(BackgroundThread(sender))
    }

    /// Does this after what was given before, and returns what came of it. It is done even if nobody waits any more.
    pub(crate) async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, Failed> {
        let (reply, result) = oneshot::channel();
        let job: Job = Box::new(move || {
            // Nobody waits any more.
            let _ = reply.send(work());
        });
        self.0.send(job).map_err(|_| Failed)?;
        result.await.map_err(|_| Failed)
    }
}

/// How much lower the priority of work is that nobody waits for, as nice(1) has it.
const NICE: i32 = 10;

/// Lowers the priority of this thread, as nice(1) has it.
#[cfg(target_os = "linux")]
pub(crate) fn yield_to_others(nice: i32) {
    // On Linux a thread has a priority of its own. One that may not lower it works as fast as others.
    let _ = rustix::process::setpriority_process(None, nice);
}

/// Elsewhere the priority would be that of the whole process.
#[cfg(not(target_os = "linux"))]
pub(crate) fn yield_to_others(_: i32) {}

#[cfg(test)]
mod tests {
    use std::thread::ThreadId;

    use super::*;

    #[tokio::test]
    async fn all_work_is_done_on_one_thread_also_after_a_panic() {
        let thread = BackgroundThread::start("work").unwrap();
        let on = || thread::current().id();
        let first = thread.run(on).await.unwrap();
        let panicked: Result<ThreadId, Failed> = thread.run(|| panic!("as planned")).await;
        assert_eq!(panicked, Err(Failed));
        let (second, third) = tokio::join!(thread.run(on), thread.run(on));
        assert_eq!([second, third], [Ok(first), Ok(first)]);
        assert_ne!(first, thread::current().id());
    }
}
