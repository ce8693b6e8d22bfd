//! A thread that does one job after the other.
//!
//! For work that needs much memory for a moment: an allocator keeps the memory that each thread once used, so the same
//! work on many threads would hold that memory many times. This module must not depend on the work.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc;
use std::thread;

use tokio::sync::oneshot;

type Job = Box<dyn FnOnce() + Send>;

/// The thread, which ends when this is dropped and all jobs are done.
#[derive(Debug)]
pub(crate) struct BackgroundThread(mpsc::Sender<Job>);

/// The job panicked, or the thread could not be started.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Failed;

impl BackgroundThread {
    /// Starts a thread of this name.
    ///
    /// # Errors
    /// If the system cannot start another thread.
    pub(crate) fn start(name: &str) -> std::io::Result<BackgroundThread> {
        BackgroundThread::spawn(name, || {})
    }

    /// Starts a thread for work that nobody waits for: if the system has thread priorities, all other work comes first.
    ///
    /// # Errors
    /// If the system cannot start another thread.
    pub(crate) fn start_beside(name: &str) -> std::io::Result<BackgroundThread> {
        BackgroundThread::spawn(name, || yield_to_others(NICE))
    }

    fn spawn(name: &str, first: fn()) -> std::io::Result<BackgroundThread> {
        let (sender, jobs) = mpsc::channel::<Job>();
        thread::Builder::new().name(name.to_owned()).spawn(move || {
            first();
            for job in jobs {
                // The reply of a job that panicked is dropped, which its caller detects.
                let _ = catch_unwind(AssertUnwindSafe(job));
            }
        })?;
        Ok(BackgroundThread(sender))
    }

    /// Does a job after all earlier ones, and returns its result. It is done also if the caller has stopped waiting.
    pub(crate) async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, Failed> {
        let (reply, result) = oneshot::channel();
        let job: Job = Box::new(move || {
            // The caller may have stopped waiting.
            let _ = reply.send(work());
        });
        self.0.send(job).map_err(|_| Failed)?;
        result.await.map_err(|_| Failed)
    }
}

/// The decrease of the priority of background work, as of nice(1).
const NICE: i32 = 10;

/// Lowers the priority of this thread, as nice(1) does.
#[cfg(target_os = "linux")]
pub(crate) fn yield_to_others(nice: i32) {
    // On Linux a thread has its own priority. If this is not permitted, the thread keeps its priority.
    let _ = rustix::process::setpriority_process(None, nice);
}

/// On other systems the priority would be that of the whole process.
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
