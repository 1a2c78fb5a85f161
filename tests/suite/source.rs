//! The Rust files of `src`, parsed, with where each stands in the module tree.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use syn::{Attribute, Item, ItemMod};

pub struct SourceFile {
    /// From the repository's root.
    pub path: String,
    pub text: String,
    /// `["api", "convert"]`; empty for the crate's root.
    pub module: Vec<String>,
    pub syntax: syn::File,
}

/// Every file but those that only tests see: a test may build the parts around the one it tests.
pub fn files() -> Vec<SourceFile> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut paths = Vec::new();
    walk(&root.join("src"), &mut paths);
    paths.sort();
    let all: Vec<SourceFile> = paths.iter().map(|path| read(root, path)).collect();
    let tests: HashSet<Vec<String>> = all.iter().flat_map(test_modules).collect();
    let is_test = |file: &SourceFile| (1..=file.module.len()).any(|depth| tests.contains(&file.module[..depth]));
    all.into_iter().filter(|file| !is_test(file)).collect()
}

pub fn is_test_only(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        let syn::Meta::List(list) = &attribute.meta else { return false };
        let names_test = |token: proc_macro2::TokenTree| token.to_string() == "test";
        list.path.is_ident("cfg") && list.tokens.clone().into_iter().any(names_test)
    })
}

fn walk(directory: &Path, paths: &mut Vec<PathBuf>) {
    let entries = std::fs::read_dir(directory).expect("src can be listed");
    for path in entries.map(|entry| entry.expect("an entry of src").path()) {
        if path.is_dir() {
            walk(&path, paths);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            paths.push(path);
        }
    }
}

fn read(root: &Path, path: &Path) -> SourceFile {
    let text = std::fs::read_to_string(path).expect("a source file is UTF-8");
    let syntax = syn::parse_file(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let relative = path.strip_prefix(root).expect("a path under the root");
    let inside = relative.strip_prefix("src").expect("a path under src").with_extension("");
    let mut module: Vec<String> = inside.iter().map(|part| part.to_string_lossy().into_owned()).collect();
    if module.last().is_some_and(|last| last == "mod") || ["lib", "main"].iter().any(|name| module == [*name]) {
        module.pop();
    }
    SourceFile { path: relative.display().to_string(), text, module, syntax }
}

/// The modules that a file declares as `#[cfg(test)] mod name;`.
fn test_modules(file: &SourceFile) -> Vec<Vec<String>> {
    let declared = file.syntax.items.iter().filter_map(|item| match item {
        Item::Mod(ItemMod { attrs, ident, content: None, .. }) if is_test_only(attrs) => Some(ident.to_string()),
        _ => None,
    });
    declared.map(|name| file.module.iter().cloned().chain([name]).collect()).collect()
}
