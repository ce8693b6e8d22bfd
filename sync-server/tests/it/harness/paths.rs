//! Every path of the API, for searches through all answers.

use serde_json::Value;
use tourismo_core::id::DocId;

/// Every path of the API's description that can be read, with these values for its parameters.
pub(crate) fn every_path(people: &[String], ids: &[DocId]) -> Vec<String> {
    let description: Value = serde_json::from_str(include_str!("../../../openapi.json")).unwrap();
    let ids: Vec<String> = ids.iter().map(DocId::to_string).collect();
    let mut paths = Vec::new();
    for (path, methods) in description["paths"].as_object().unwrap() {
        if methods.get("get").is_none() {
            continue;
        }
        let mut made = vec![path.clone()];
        for name in ["person", "id", "car", "z", "x", "y", "lookup", "secret", "source"] {
            let values: Vec<String> = match name {
                "person" => people.to_vec(),
                "lookup" | "source" => vec!["0".repeat(64)],
                "secret" => vec!["0".repeat(32)],
                "z" => vec!["8".into()],
                "x" => vec!["136".into()],
                "y" => vec!["90".into()],
                _ => ids.clone(),
            };
            let parameter = format!("{{{name}}}");
            made = made
                .into_iter()
                .flat_map(|path| match path.contains(&parameter) {
                    true => values.iter().map(|value| path.replace(&parameter, value)).collect(),
                    false => vec![path],
                })
                .collect();
        }
        paths.extend(made);
    }
    let unfilled = paths.iter().find(|path| path.contains('{'));
    assert_eq!(unfilled, None, "each parameter has a value");
    paths
}
