//! Every path of a file that begins at the crate's root, whichever way it is written.
//!
//! The source is parsed, so nested imports, paths in the middle of code and paths inside macros count too.

use proc_macro2::{TokenStream, TokenTree};
use syn::visit::{self, Visit};
use syn::{ItemMod, ItemUse, Macro, Path, UseTree, VisRestricted};

use crate::source::{SourceFile, is_test_only};

/// A path that begins at the crate's root, whichever way it was written.
pub struct Import {
    pub line: usize,
    /// Without `crate`; empty is the root itself.
    path: Vec<String>,
}

impl Import {
    pub fn folder(&self) -> Option<&str> {
        self.path.first().map(String::as_str)
    }

    pub fn name(&self) -> String {
        if self.path.is_empty() { "the crate's root".to_owned() } else { self.path.join("::") }
    }

    /// What is data and not a service: everything of the model, and rows of the store.
    pub fn is_domain_data(&self) -> bool {
        match self.folder() {
            Some("model") => true,
            Some("sessions") => self.path.last().is_some_and(|name| name.ends_with("Row")),
            _ => false,
        }
    }
}

pub fn imports(file: &SourceFile) -> Vec<Import> {
    let mut collector = Collector { module: file.module.clone(), found: Vec::new() };
    collector.visit_file(&file.syntax);
    collector.found
}

struct Collector {
    module: Vec<String>,
    found: Vec<Import>,
}

impl Collector {
    /// Paths that begin with neither `crate` nor `super` are other crates, or stay in the folder.
    fn add(&mut self, line: usize, segments: &[String]) {
        let ups = segments.iter().skip_while(|part| *part == "self").take_while(|part| *part == "super").count();
        let own = segments.iter().take_while(|part| *part == "self").count();
        let base = match segments.first().map(String::as_str) {
            Some("crate") => 0,
            Some("super" | "self") if ups > 0 => self.module.len().saturating_sub(ups),
            _ => return,
        };
        let rest = segments.iter().skip(if segments[0] == "crate" { 1 } else { own + ups });
        let path = self.module.iter().take(base).chain(rest).cloned().collect();
        self.found.push(Import { line, path });
    }

    fn add_tree(&mut self, tree: &UseTree, prefix: &[String]) {
        let with = |name: &proc_macro2::Ident| [prefix, &[name.to_string()]].concat();
        match tree {
            UseTree::Path(path) => self.add_tree(&path.tree, &with(&path.ident)),
            UseTree::Name(name) if name.ident == "self" => self.add(name.ident.span().start().line, prefix),
            UseTree::Name(name) => self.add(name.ident.span().start().line, &with(&name.ident)),
            UseTree::Rename(rename) => self.add(rename.ident.span().start().line, &with(&rename.ident)),
            UseTree::Glob(glob) => self.add(glob.star_token.spans[0].start().line, prefix),
            UseTree::Group(group) => group.items.iter().for_each(|item| self.add_tree(item, prefix)),
        }
    }

    fn add_tokens(&mut self, tokens: TokenStream) {
        let mut path: Vec<String> = Vec::new();
        let mut line = 0;
        for token in tokens {
            match &token {
                TokenTree::Ident(ident) => {
                    // Two names without `::` between them are two paths.
                    if path.last().is_none_or(|last| !last.is_empty()) {
                        self.add_written(line, &mut path);
                        line = ident.span().start().line;
                    } else {
                        path.pop();
                    }
                    path.push(ident.to_string());
                }
                TokenTree::Punct(punct) if punct.as_char() == ':' => {
                    if path.last().is_some_and(|last| !last.is_empty()) {
                        path.push(String::new());
                    }
                }
                TokenTree::Group(group) => {
                    self.add_written(line, &mut path);
                    self.add_tokens(group.stream());
                }
                _ => self.add_written(line, &mut path),
            }
        }
        self.add_written(line, &mut path);
    }

    fn add_written(&mut self, line: usize, path: &mut Vec<String>) {
        path.retain(|part| !part.is_empty());
        if path.len() > 1 {
            self.add(line, path);
        }
        path.clear();
    }
}

impl<'ast> Visit<'ast> for Collector {
    fn visit_item(&mut self, item: &'ast syn::Item) {
        if !is_test_only(attributes(item)) {
            visit::visit_item(self, item);
        }
    }

    fn visit_item_mod(&mut self, item: &'ast ItemMod) {
        self.module.push(item.ident.to_string());
        visit::visit_item_mod(self, item);
        self.module.pop();
    }

    fn visit_item_use(&mut self, item: &'ast ItemUse) {
        self.add_tree(&item.tree, &[]);
    }

    fn visit_path(&mut self, path: &'ast Path) {
        let segments: Vec<String> = path.segments.iter().map(|segment| segment.ident.to_string()).collect();
        let line = path.segments.first().map_or(0, |segment| segment.ident.span().start().line);
        self.add(line, &segments);
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, mac: &'ast Macro) {
        self.add_tokens(mac.tokens.clone());
        visit::visit_macro(self, mac);
    }

    /// `pub(crate)` imports nothing.
    fn visit_vis_restricted(&mut self, _: &'ast VisRestricted) {}
}

fn attributes(item: &syn::Item) -> &[syn::Attribute] {
    use syn::Item::{Const, Enum, Fn, Impl, Mod, Static, Struct, Trait, Type, Use};
    match item {
        Const(item) => &item.attrs,
        Enum(item) => &item.attrs,
        Fn(item) => &item.attrs,
        Impl(item) => &item.attrs,
        Mod(item) => &item.attrs,
        Static(item) => &item.attrs,
        Struct(item) => &item.attrs,
        Trait(item) => &item.attrs,
        Type(item) => &item.attrs,
        Use(item) => &item.attrs,
        _ => &[],
    }
}

#[test]
fn the_collector_sees_every_way_to_write_an_import() {
    let cases = [
        ("use crate::helm::Helm;", vec!["helm::Helm"]),
        ("use crate::{model::{Block, Role}, rpc};", vec!["model::Block", "model::Role", "rpc"]),
        ("use super::super::helm::Helm as H;", vec!["helm::Helm"]),
        ("use super::sibling::Thing; use std::fmt; use inner::X;", vec!["api::sibling::Thing"]),
        ("use self::super::sibling;", vec!["api::sibling"]),
        (
            "fn f(x: crate::rpc::Peer) -> u8 { crate::helm::go::<super::super::model::Role>() }",
            vec!["rpc::Peer", "helm::go", "model::Role"],
        ),
        ("fn f() { println!(\"{}\", [crate::helm::X::y(1), super::super::rpc::Z]); }", vec!["helm::X::y", "rpc::Z"]),
        ("mod inner { use super::super::super::cli::run; }", vec!["cli::run"]),
        ("#[cfg(test)] mod tests { use crate::daemon::D; }", vec![]),
        ("pub(crate) fn f() {} pub(super) struct S;", vec![]),
        ("use crate::*;", vec!["the crate's root"]),
        ("macro_rules! m { () => { $crate::cli::run() } }", vec!["cli::run"]),
    ];
    for (text, expected) in cases {
        let syntax = syn::parse_file(text).expect("Rust");
        let module = vec!["api".to_owned(), "here".to_owned()];
        let file = SourceFile { path: String::new(), text: text.to_owned(), module, syntax };
        let names: Vec<String> = imports(&file).iter().map(Import::name).collect();
        assert_eq!(names, expected, "{text}");
    }
}
