//! What databases, transactions and the outbox promise, on real files and, with the feature `postgres`, on a real server; with
//! the feature `nats`, through a real broker.

#[cfg(feature = "nats")]
mod broker;
#[cfg(feature = "nats")]
mod broker_ground;
#[cfg(feature = "nats")]
mod broker_kill;
mod events;
mod gathering;
mod ground;
mod kill;
mod outbox;
mod place;
#[cfg(feature = "postgres")]
mod server;
#[cfg(feature = "postgres")]
mod server_kill;
mod statements;
mod writes;

place::on_every_store! {
    events =>
        a_subscriber_of_the_same_database_runs_in_the_transaction_or_not_at_all,
        another_database_hears_everything_once_and_in_order,
        a_repeated_write_publishes_nothing_new,
        what_is_delivered_again_is_not_applied_again,
        an_event_that_cannot_be_applied_is_put_aside_and_the_next_continues,
        events_out_of_order_are_all_applied_and_none_twice,
        an_event_waits_for_whom_its_handler_asks,
        a_replaced_database_is_heard_from_its_beginning,
        copies_of_a_consumer_share_its_events;
    gathering =>
        other_components_are_called_before_the_turn,
        a_setting_calls_them_inside_it,
        outdated_replies_give_the_turn_back_and_are_gathered_again,
        replies_that_never_hold_are_done_without,
        an_event_that_an_effect_publishes_asks_nothing,
        a_call_that_fails_is_heard_of_in_the_transaction,
        a_consumer_gathers_again_as_a_publisher_does;
    kill =>
        a_killed_publisher_and_consumer_lose_and_double_nothing,
        of_many_writers_a_kill_loses_nothing_that_was_acknowledged;
    outbox =>
        rows_go_when_all_have_applied_them_and_not_before,
        rows_for_whom_it_may_concern_stay,
        a_pull_waits_for_the_first_event_and_gets_no_more_than_it_asked_for,
        only_publishers_that_write_twice_publish_after_the_commit;
    statements =>
        placeholders_are_bound_by_their_numbers,
        a_list_of_any_length_holds_its_values,
        what_is_not_committed_never_happened_and_the_next_writer_has_its_turn,
        a_scan_reads_every_row_of_a_table_of_any_size,
        every_type_of_value_comes_back_as_it_went,
        a_closed_database_gives_no_connection,
        a_writer_waits_for_another_process_without_holding_up_its_own;
    writes =>
        writers_take_turns_and_lose_nothing,
        of_writers_at_once_each_fails_alone,
        a_repeat_gets_the_first_reply,
        a_reply_that_was_rolled_back_was_never_given,
        migrations_run_once_whole_and_never_change;
}
