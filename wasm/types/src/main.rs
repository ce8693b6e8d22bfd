//! Writes the TypeScript types of the npm package: one declaration for each Rust type in the interface of the core.
//!
//! Usage: `tourismo-types <file>`, as in `just types`.

use std::any::TypeId;
use std::collections::{BTreeMap, HashSet};
use std::path::PathBuf;
use std::process::ExitCode;
use std::{env, fs};

use ts_rs::{Config, TS, TypeVisitor};

/// Declares the types of the interface, and with them every type that they contain.
fn declare_all(module: &mut Module) {
    use tourismo_core::replica::{Bootstrap, io, views};

    module.visit::<Bootstrap>();
    module.visit::<tourismo_core::time::Now>();
    module.visit::<io::Input>();
    module.visit::<io::Effect>();
    module.visit::<views::RecordingView>();
    module.visit::<views::DriveView>();
    module.visit::<views::search::DriveQuery>();
    module.visit::<views::search::FoundDrives>();
    module.visit::<views::CarView>();
    module.visit::<views::SocialView>();
    module.visit::<views::MeetView>();
    module.visit::<views::TrackView>();
    module.visit::<views::AccountView>();
    module.visit::<views::MembersView>();
    module.visit::<views::StatusView>();
    module.visit::<tourismo_import::Found>();
    module.visit::<tourismo_import::write::ExportFormat>();
    module.visit::<tourismo_import::write::destination::Destination>();
}

/// Returns the text of the TypeScript module.
fn source() -> String {
    let mut module = Module::new();
    declare_all(&mut module);
    module.to_source()
}

/// One TypeScript module, its declarations in the order of their names.
struct Module {
    config: Config,
    seen: HashSet<TypeId>,
    declarations: BTreeMap<String, String>,
}

impl TypeVisitor for Module {
    fn visit<T: TS + 'static + ?Sized>(&mut self) {
        if !self.seen.insert(TypeId::of::<T>()) {
            return;
        }
        // Types without a path are TypeScript's own, or containers, whose items have a path.
        if T::output_path().is_some() {
            let name = T::ident(&self.config);
            let declaration = format!("{}export {}", T::docs().unwrap_or_default(), T::decl(&self.config));
            let earlier = self.declarations.insert(name.clone(), tidy(&declaration));
            assert!(earlier.is_none(), "two Rust types are called {name} in TypeScript; rename one by #[ts(rename)]");
        }
        T::visit_generics(self);
        T::visit_dependencies(self);
    }
}

impl Module {
    fn new() -> Module {
        // Every integer in the interface is below 2^53, a plain `number`.
        let config = Config::new().with_large_int("number");
        Module { config, seen: HashSet::new(), declarations: BTreeMap::new() }
    }

    fn to_source(&self) -> String {
        let mut source = String::from(
            "// Generated from the Rust types of tourismo-core and tourismo-import by `just types`. Do not edit.\n",
        );
        for declaration in self.declarations.values() {
            source.push('\n');
            source.push_str(declaration);
        }
        source
    }
}

/// Indents the content of braces, and puts a comment of one line on one line.
fn tidy(declaration: &str) -> String {
    let mut tidied = String::new();
    let mut depth = 0;
    // A generator's last field shares its line with the closing brace.
    let spaced = declaration.replace(", };", ",\n};");
    let mut lines = spaced.lines().map(str::trim).filter(|line| !line.is_empty());
    while let Some(line) = lines.next() {
        let is_comment = line == "/**";
        let paragraph = if is_comment {
            let text: Vec<&str> = lines.by_ref().take_while(|line| *line != "*/").collect();
            match text[..] {
                [only] => vec![format!("/** {} */", only.trim_start_matches("* "))],
                _ => [vec!["/**".into()], text.iter().map(|line| format!(" {line}")).collect(), vec![" */".into()]]
                    .concat(),
            }
        } else {
            vec![line.to_owned()]
        };
        let (opened, closed) = if is_comment { (0, 0) } else { (line.matches('{').count(), line.matches('}').count()) };
        let outer = if line.starts_with('}') { depth - closed } else { depth };
        for line in paragraph {
            tidied.push_str(&"  ".repeat(outer));
            tidied.push_str(&line);
            tidied.push('\n');
        }
        depth = depth + opened - closed;
    }
    tidied
}

fn main() -> ExitCode {
    let Some(path) = env::args_os().nth(1).map(PathBuf::from) else {
        eprintln!("usage: tourismo-types <file to write>");
        return ExitCode::FAILURE;
    };
    match fs::write(&path, source()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{}: {error}", path.display());
            ExitCode::FAILURE
        }
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_types_of_the_package_are_those_of_the_core() {
        let committed = include_str!("../../../pwa-shim/src/generated/types.ts");
        assert!(super::source() == committed, "pwa-shim/src/generated/types.ts is stale; run `just types`");
    }
}
