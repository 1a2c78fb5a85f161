//! The Rust files of `src`, parsed, with where each stands in the module tree.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use proc_macro2::{TokenStream, TokenTree};
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
    let tests: HashSet<TestModule> = all.iter().flat_map(test_modules).collect();
    let named = |module: &[String]| tests.contains(&TestModule::Named(module.to_vec()));
    let is_test = |file: &SourceFile| {
        let under = (1..=file.module.len()).any(|depth| named(&file.module[..depth]));
        under || tests.contains(&TestModule::At(file.path.clone()))
    };
    all.into_iter().filter(|file| !is_test(file)).collect()
}

/// `#[cfg(test)]` and `#[cfg(all(test, …))]`.
pub fn is_test_only(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        let syn::Meta::List(list) = &attribute.meta else { return false };
        list.path.is_ident("cfg") && names_test(list.tokens.clone())
    })
}

fn names_test(condition: TokenStream) -> bool {
    let mut all = false;
    condition.into_iter().any(|token| match token {
        TokenTree::Ident(ident) => {
            all = ident == "all";
            ident == "test"
        }
        TokenTree::Group(group) => all && names_test(group.stream()),
        _ => false,
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

/// What a file declares as `#[cfg(test)] mod name;`.
#[derive(PartialEq, Eq, Hash)]
enum TestModule {
    Named(Vec<String>),
    /// With `#[path = "…"]`.
    At(String),
}

fn test_modules(file: &SourceFile) -> Vec<TestModule> {
    let declared = file.syntax.items.iter().filter_map(|item| match item {
        Item::Mod(ItemMod { attrs, ident, content: None, .. }) if is_test_only(attrs) => Some((attrs, ident)),
        _ => None,
    });
    let module = |(attributes, ident): (&Vec<Attribute>, &syn::Ident)| match path_attribute(attributes) {
        Some(path) => {
            let beside = Path::new(&file.path).parent().expect("a file under src");
            TestModule::At(beside.join(path).display().to_string())
        }
        None => TestModule::Named(file.module.iter().cloned().chain([ident.to_string()]).collect()),
    };
    declared.map(module).collect()
}

fn path_attribute(attributes: &[Attribute]) -> Option<String> {
    attributes.iter().find(|attribute| attribute.path().is_ident("path")).and_then(|attribute| {
        let syn::Meta::NameValue(pair) = &attribute.meta else { return None };
        let syn::Expr::Lit(syn::ExprLit { lit: syn::Lit::Str(text), .. }) = &pair.value else { return None };
        Some(text.value())
    })
}
