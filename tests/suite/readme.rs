//! What the README says is what is run.

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

fn read(path: &str) -> Option<String> {
    std::fs::read_to_string(format!("{ROOT}/{path}")).ok()
}

#[test]
fn the_gate_runs_the_tests_with_the_command_that_the_readme_gives() {
    let gate = read(".ci/run").expect(".ci/run is there");
    let command = gate.lines().find_map(|line| line.strip_prefix("test_command=\"")).expect("it names the command");
    let command = command.trim_end_matches('"');
    let Some(readme) = read("README.md") else { return };
    let given = readme.lines().any(|line| line.trim() == command);
    assert!(given, "README.md has no line '{command}': change it, or test_command in .ci/run");
}
