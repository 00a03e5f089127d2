//! `import` inside the rules folder: from texts that are given, never from files.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use rhai::{AST, Engine, EvalAltResult, Module, ModuleResolver, Position, Scope, Shared};

use super::analyse::script::Script;
use super::register::SharedSession;

/// An imported file.
pub(crate) struct Library {
    /// Its path inside the folder.
    pub(crate) path: Arc<str>,
    /// Its compiled text.
    pub(crate) script: Arc<Script>,
    /// Its functions with their surroundings.
    pub(crate) module: Shared<Module>,
    /// The same as closures need it that come from this file.
    pub(crate) ast: Arc<AST>,
    /// The params that it read, with those of its imports.
    params: BTreeSet<Arc<str>>,
    /// What it imports.
    imported: BTreeMap<Arc<str>, Arc<str>>,
}

impl fmt::Debug for Library {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Library({})", self.path)
    }
}

/// Resolves imports from the session's texts.
#[derive(Debug)]
pub(crate) struct Resolver {
    /// What is loaded, and from what.
    pub(crate) session: SharedSession,
}

impl ModuleResolver for Resolver {
    fn resolve(
        &self,
        engine: &Engine,
        _source: Option<&str>,
        path: &str,
        position: Position,
    ) -> Result<Shared<Module>, Box<EvalAltResult>> {
        let failed = |message: String| Box::new(EvalAltResult::ErrorRuntime(message.into(), position));
        let path: Arc<str> = file_of(path).map_err(failed)?.into();
        let (text, file) = {
            let mut session = self.session.lock();
            session.run.asked.insert(path.clone());
            if session.run.running.contains(&path) {
                let chain: Vec<&str> = session.run.running.iter().chain([&path]).map(|path| &**path).collect();
                return Err(failed(format!("imports go round in a circle: {}", chain.join(" -> "))));
            }
            if let Some(library) = session.libraries.get(&path).cloned() {
                let text = library.script.text.clone();
                session.run.params.extend(library.params.iter().cloned());
                session.run.asked.extend(library.imported.keys().cloned());
                session.run.imported.extend(library.imported.clone());
                session.run.imported.insert(path, text);
                return Ok(library.module.clone());
            }
            let file = session.display(&path);
            let Some(text) = session.texts.get(&path).cloned() else {
                return Err(failed(format!("`{file}` cannot be imported: there is no such file, or it never loaded")));
            };
            session.run.imported.insert(path.clone(), text.clone());
            session.run.running.push(path.clone());
            (text, file)
        };
        // What this file reads is kept apart while it runs, so that the next import of it knows.
        let outer = {
            let run = &mut self.session.lock().run;
            (std::mem::take(&mut run.params), std::mem::take(&mut run.imported))
        };
        let result = run(engine, &path, &file, &text);
        let mut session = self.session.lock();
        session.run.running.pop();
        let params = std::mem::replace(&mut session.run.params, outer.0);
        let imported = std::mem::replace(&mut session.run.imported, outer.1);
        session.run.params.extend(params.iter().cloned());
        session.run.imported.extend(imported.clone());
        match result {
            Ok((script, module, ast)) => {
                let library = Library { path: path.clone(), script, module: module.clone(), ast, params, imported };
                session.libraries.insert(path, Arc::new(library));
                Ok(module)
            }
            Err(error) => Err(Box::new(EvalAltResult::ErrorInModule(file.to_string(), error, position))),
        }
    }
}

type Ran = (Arc<Script>, Shared<Module>, Arc<AST>);

fn run(engine: &Engine, path: &str, file: &Arc<str>, text: &Arc<str>) -> Result<Ran, Box<EvalAltResult>> {
    let mut ast = engine.compile(&**text)?;
    ast.set_source(path);
    let module: Shared<Module> = Module::eval_ast_as_new(Scope::new(), &ast, engine)?.into();
    let script = Script::new(file.clone(), text.clone(), ast);
    Ok((Arc::new(script), module.clone(), Arc::new(AST::new_from_module(module))))
}

/// The path inside the folder that an import names.
///
/// # Errors
/// Where it is absolute, climbs with `..`, or names no rule file; the error says what to write.
pub(crate) fn file_of(path: &str) -> Result<String, String> {
    let path = path.strip_prefix("./").unwrap_or(path);
    if path.starts_with('/') || path.contains('\\') || path.contains(':') || path.starts_with('~') {
        return Err(format!("`{path}` cannot be imported: write a path inside the rules folder, as in `lib/limits`"));
    }
    if path.split('/').any(|part| matches!(part, "" | "." | "..")) || path.chars().any(char::is_control) {
        return Err(format!("`{path}` cannot be imported: paths start at the rules folder and never leave it"));
    }
    if path.ends_with(".test.rhai") || path.ends_with(".test") {
        return Err(format!("`{path}` cannot be imported: it holds tests"));
    }
    Ok(if path.ends_with(".rhai") { path.to_string() } else { format!("{path}.rhai") })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_import_stays_inside_the_folder() {
        assert_eq!(file_of("lib/limits").unwrap(), "lib/limits.rhai");
        assert_eq!(file_of("./limits.rhai").unwrap(), "limits.rhai");
        for path in ["/etc/passwd", "../x", "a/../b", "a//b", "", "C:\\x", "~/x", "a/./b", "x.test", "file:x", "a\0b"] {
            assert!(file_of(path).is_err(), "{path}");
        }
    }
}
