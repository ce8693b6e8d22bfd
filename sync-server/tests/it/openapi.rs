//! The OpenAPI description: independent validators accept it, and clients generated from it read the relay's answers.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};
use tourismo_core::docs::Visibility;
use tourismo_core::time::Timestamp;

use crate::harness::{Person, Relay};

const START: Timestamp = Timestamp(1_790_000_000_000);

pub(crate) fn project() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().unwrap()
}

/// A program from the Python environment or the npm packages that `tests/setup.sh test` installs.
pub(crate) fn installed(path: &str) -> Command {
    let program = project().join(path);
    assert!(program.exists(), "tests/setup.sh test installs {path}");
    Command::new(program)
}

fn description() -> PathBuf {
    project().join("sync-server/openapi.json")
}

/// The output of a program, which must exit with 0.
pub(crate) fn printed(command: &mut Command) -> String {
    let output = command.output().unwrap();
    let [out, err] = [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap());
    assert!(output.status.success(), "{command:?}: {out}\n{err}");
    out
}

#[test]
fn two_validators_take_the_description() {
    printed(installed("target/python/bin/openapi-spec-validator").arg(description()));
    const SCRIPT: &str = r#"
import { Validator } from "@seriousme/openapi-schema-validator";
const { valid, errors } = await new Validator().validate(process.argv[1]);
if (!valid) throw new Error(JSON.stringify(errors));
"#;
    let mut node = Command::new("node");
    node.current_dir(project().join("tests/openapi"));
    printed(node.args(["--input-type=module", "--eval", SCRIPT]).arg(description()));
}

/// Runs a client against a relay on which Anna has published two drives and Ben follows her. The client gets the URL,
/// Ben's token and a drive, and prints what it read.
async fn is_read_by(client: impl FnOnce(&[String; 3]) -> String + Send + 'static) {
    let relay = Relay::start().await;
    let mut anna = Person::named(&relay, 1, "anna").await;
    let mut ben = Person::named(&relay, 2, "ben").await;
    ben.follow(&relay, &anna).await;
    anna.publish(&relay, "Pass", Visibility::Public, START).await;
    let drive = anna.publish(&relay, "Lake", Visibility::Public, START + 7_200_000).await;
    ben.drive(&relay, "Ben's", None, START, None).await;
    let arguments = [format!("http://{}", relay.addr()), ben.token(&relay), drive.to_string()];
    let read = tokio::task::spawn_blocking(move || client(&arguments)).await.unwrap();
    let mut read: Value = serde_json::from_str(&read).unwrap();

    let served = ben.read(&relay, &format!("/v1/drives/{drive}")).await;
    let columns = served["properties"]["parts"].as_array().unwrap();
    let parts: Vec<usize> = columns.iter().map(|part| part["elapsedMs"].as_array().unwrap().len()).collect();
    assert!(read["distanceM"].take().as_f64().is_some_and(|metres| metres > 0.0));
    // Within one hour, the order of drives is random.
    for titles in ["titles", "jsonFeed"] {
        let mut sorted: Vec<String> = serde_json::from_value(read[titles].take()).unwrap();
        sorted.sort();
        assert_eq!(sorted, ["Lake", "Pass"], "{titles}");
    }
    let due = json!({
        "titles": null, "jsonFeed": null, "distanceM": null,
        "lines": parts.len(), "parts": parts, "refusal": "not_found",
        "home": ["drive", "drive"], "own": ["Ben's"], "months": [1], "person": "anna", "roads": 0,
        "unauthorized": "token_needed",
    });
    assert_eq!(read, due);
}

#[tokio::test]
async fn a_python_client_that_was_generated_reads_what_is_served() {
    is_read_by(|arguments| {
        let folder = tempfile::tempdir().unwrap();
        let (script, settings) = (folder.path().join("client.py"), folder.path().join("settings.yml"));
        std::fs::write(&script, include_str!("openapi/client.py")).unwrap();
        // Without this setting it would search for a formatter.
        std::fs::write(&settings, "post_hooks: []\n").unwrap();
        let mut generate = installed("target/python/bin/openapi-python-client");
        generate.args(["generate", "--meta", "none", "--path"]).arg(description()).arg("--config").arg(settings);
        printed(generate.arg("--output-path").arg(folder.path().join("generated")));
        printed(installed("target/python/bin/python").arg(script).args(arguments))
    })
    .await;
}

#[tokio::test]
async fn a_typescript_client_that_was_generated_reads_what_is_served() {
    is_read_by(|arguments| {
        let folder = tempfile::tempdir().unwrap();
        let (source, types) = (folder.path().join("client.ts"), folder.path().join("generated.d.ts"));
        std::fs::write(&source, include_str!("openapi/client.ts")).unwrap();
        std::fs::write(folder.path().join("package.json"), r#"{ "type": "module" }"#).unwrap();
        let packages = project().join("tests/openapi/node_modules");
        std::os::unix::fs::symlink(&packages, folder.path().join("node_modules")).unwrap();
        let mut generate = installed("tests/openapi/node_modules/.bin/openapi-typescript");
        printed(generate.arg(description()).arg("--output").arg(types));
        let mut compile = installed("tests/openapi/node_modules/.bin/tsc");
        compile.args(["--strict", "--target", "es2022", "--module", "nodenext"]).current_dir(&folder);
        printed(compile.args(["--lib", "es2022,dom,dom.iterable", "client.ts"]));
        printed(Command::new("node").arg(folder.path().join("client.js")).args(arguments))
    })
    .await;
}
