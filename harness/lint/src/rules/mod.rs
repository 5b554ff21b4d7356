//! The rules, one file each: `src/rules/NAME.rs`, its page `rules/NAME.md`, and one line here.

/// Declares the modules and lists their rules, in this order.
macro_rules! rules {
    ($($name:ident),* $(,)?) => {
        $(mod $name;)*
        /// Every rule.
        pub(crate) const ALL: &[&crate::rule::Rule] = &[$(&$name::RULE),*];
    };
}

rules! {
    forgotten_value,
    arc_cycle_by_closure,
    guard_across_await,
    large_buffer_across_await,
    leaked_box,
    map_grows_per_connection,
    slice_pins_buffer,
    task_owns_its_sender,
}
