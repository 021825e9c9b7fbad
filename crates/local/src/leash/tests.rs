//! Programs that end with whoever started them, however that goes.

use std::fs;
use std::process::Command as Program;

use nix::errno::Errno;
use nix::sys::signal::kill;
use nix::unistd::Pid;

use super::*;

/// Tells the re-executed test binary that it is the parent to be killed, and where to work.
const HOLDER: &str = "PARTNER_LEASH_HOLDER";

const LIMIT: Duration = Duration::from_secs(30);

async fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let mut ticks = interval(Duration::from_millis(20));
    let wait = async {
        while !condition() {
            ticks.tick().await;
        }
    };
    timeout(LIMIT, wait)
        .await
        .unwrap_or_else(|_| panic!("not in time: {what}"));
}

fn exists(pid: Pid) -> bool {
    kill(pid, None) != Err(Errno::ESRCH)
}

/// A server that writes its pid to a file once it is ready.
struct Sample(tempfile::TempDir);

impl Sample {
    fn new() -> Self {
        let place = tempfile::tempdir().unwrap();
        fs::create_dir(place.path().join("fold er")).unwrap();
        Self(place)
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn folder(&self) -> PathBuf {
        self.path().join("fold er")
    }

    fn pid(&self) -> Option<Pid> {
        let text = fs::read_to_string(self.path().join("pid")).ok()?;
        text.trim().parse().ok().map(Pid::from_raw)
    }

    async fn started(&self) -> Pid {
        until("the sample starts", || self.pid().is_some()).await;
        self.pid().unwrap()
    }
}

fn sample(place: &Path, script: &str) -> LeashedCommand {
    let folder = place.join("fold er");
    LeashedCommand::new("sample", "/bin/sh", folder.join("log"))
        .args(["-c", script, "sample"])
        .arg(place.join("pid"))
        .remove(folder, Remove::Always)
}

/// Runs until it is stopped, without a child of its own that would outlive it.
const SERVER: &str = r#"echo $$ >"$1"; exec sleep 1000"#;

#[tokio::test]
async fn a_dropped_leash_ends_its_program_and_removes_its_folder() {
    let place = Sample::new();
    let mut leash = Leash::spawn(sample(place.path(), SERVER)).unwrap();
    let pid = place.started().await;
    assert!(leash.is_running() && exists(pid));
    drop(leash);
    until("the program ends", || !exists(pid)).await;
    until("the folder goes", || !place.folder().exists()).await;
}

#[tokio::test]
async fn stop_returns_when_program_and_folder_are_gone() {
    let place = Sample::new();
    let leash = Leash::spawn(sample(place.path(), SERVER)).unwrap();
    let pid = place.started().await;
    leash.stop().await.unwrap();
    assert!(!exists(pid) && !place.folder().exists());
}

#[tokio::test]
async fn a_program_that_ignores_the_signal_is_killed() {
    let place = Sample::new();
    let stubborn = r#"trap '' TERM INT HUP; echo $$ >"$1"; while :; do sleep 0.1; done"#;
    let command =
        sample(place.path(), stubborn).stop_with(StopSignal::Terminate, Duration::from_millis(300));
    let leash = Leash::spawn(command).unwrap();
    let pid = place.started().await;
    leash.stop().await.unwrap();
    assert!(!exists(pid) && !place.folder().exists());
}

#[tokio::test]
async fn a_signal_to_the_shell_alone_reaches_the_program() {
    let place = Sample::new();
    let mut leash = Leash::spawn(sample(place.path(), SERVER)).unwrap();
    let pid = place.started().await;
    let shell = Pid::from_raw(leash.shell.id().unwrap().try_into().unwrap());
    kill(shell, nix::sys::signal::SIGTERM).unwrap();
    until("the shell ends", || !leash.is_running()).await;
    assert!(!exists(pid) && !place.folder().exists());
}

#[tokio::test]
async fn a_program_that_fails_is_reported_with_its_last_output() {
    let place = Sample::new();
    let script = "echo before; echo the reason >&2; exit 7";
    let command = sample(place.path(), script);
    let mut leash = Leash::spawn(command).unwrap();
    let error = leash
        .wait_ready(LIMIT, || async { false })
        .await
        .unwrap_err();
    let text = error.to_string();
    assert!(
        text.contains("status: 7") && text.ends_with("the reason"),
        "{text}"
    );
    assert!(!place.folder().exists());
}

#[tokio::test]
async fn a_program_that_succeeds_keeps_its_folder_if_asked() {
    let place = Sample::new();
    let folder = place.folder();
    let run = |script: &'static str| {
        let command = LeashedCommand::new("sample", "/bin/sh", folder.join("log"))
            .args(["-c", script])
            .remove(&folder, Remove::OnFailure);
        Leash::run(command, LIMIT)
    };
    run("exit 0").await.unwrap();
    assert!(folder.exists());
    run("exit 1").await.unwrap_err();
    assert!(!folder.exists());
}

#[tokio::test]
async fn arguments_arrive_as_they_are() {
    let place = Sample::new();
    let odd = ["$(exit 1)", "a  b", "'\"`*", "", "-n", "\n"];
    let command = LeashedCommand::new("printf", "printf", place.folder().join("log"))
        .arg("[%s]")
        .args(odd);
    let leash = Leash::spawn(command).unwrap();
    until("all is printed", || leash.log_tail().ends_with("[\n]")).await;
    let expected = format!("[{}]", odd.join("]["));
    assert_eq!(leash.log_tail(), expected);
    leash.stop().await.unwrap();
}

#[tokio::test]
async fn a_missing_program_is_reported() {
    let place = Sample::new();
    let log = place.folder().join("log");
    let command = LeashedCommand::new("missing", "/no/such/program", log);
    let error = Leash::run(command, LIMIT).await.unwrap_err().to_string();
    assert!(error.contains("/no/such/program"), "{error}");
}

/// No test by itself: the parent that [`a_killed_parent_takes_its_program_with_it`] kills.
#[tokio::test]
async fn holder() {
    let Some(place) = std::env::var_os(HOLDER) else {
        return;
    };
    let _leash = Leash::spawn(sample(Path::new(&place), SERVER)).unwrap();
    std::future::pending::<()>().await;
}

#[tokio::test]
async fn a_killed_parent_takes_its_program_with_it() {
    let place = Sample::new();
    let mut parent = Program::new(std::env::current_exe().unwrap())
        .args(["--exact", "leash::tests::holder", "--nocapture"])
        .env(HOLDER, place.path())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let pid = place.started().await;
    parent.kill().unwrap();
    parent.wait().unwrap();
    until("the program ends", || !exists(pid)).await;
    until("the folder goes", || !place.folder().exists()).await;
}
