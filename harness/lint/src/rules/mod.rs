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
    detached_spawn,
    loop_without_cancel,
    select_recv_without_else,
    unbounded_channel,
    join_set_never_joined,
    map_grows_per_connection,
    task_owns_its_sender,
    arc_cycle_by_closure,
    slice_pins_buffer,
    forgotten_value,
    leaked_box,
    guard_across_await,
    large_buffer_across_await,
}
