//! `reserveInventory` and `releaseInventory`, and what becoming paid does to the stock.

use anyhow::{Context, Result, ensure};
use futures::future::join_all;
use partner_payment::model::OrderStatus;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use tokio::runtime::Runtime;

use crate::support::{Failed, World, done, failed, json};

/// How an article stands: on hand, reserved, and gone with paid orders.
#[derive(Debug, PartialEq, Eq)]
struct Shelf {
    on_hand: i32,
    reserved: i32,
    committed: i64,
}

impl Shelf {
    const fn new(on_hand: i32, reserved: i32, committed: i64) -> Self {
        Self {
            on_hand,
            reserved,
            committed,
        }
    }
}

async fn shelf(world: &World, sku: &str) -> Result<Shelf> {
    let (on_hand, reserved, committed, held): (i32, i32, i64, i64) = sqlx::query_as(
        "SELECT on_hand, reserved,
                COALESCE((SELECT sum(quantity) FROM inventory_reservations
                          WHERE sku = $1 AND state = 'committed'), 0),
                COALESCE((SELECT sum(quantity) FROM inventory_reservations
                          WHERE sku = $1 AND state = 'held'), 0)
         FROM inventory WHERE sku = $1",
    )
    .bind(sku)
    .fetch_one(&world.pool)
    .await?;
    ensure!(
        i64::from(reserved) == held,
        "{sku}: {reserved} reserved, {held} held"
    );
    Ok(Shelf {
        on_hand,
        reserved,
        committed,
    })
}

/// The stock is what it was, but for what paid orders took.
async fn balances(world: &World, sku: &str, initial: i32) -> Result<()> {
    let shelf = shelf(world, sku).await?;
    let is_sound = i64::from(shelf.on_hand) + shelf.committed == i64::from(initial)
        && (0..=shelf.on_hand).contains(&shelf.reserved);
    ensure!(is_sound, "{sku}, {initial} at first: {shelf:?}");
    Ok(())
}

/// Lets the time of an order's reservations run out.
async fn let_expire(world: &World, order: &str) -> Result<()> {
    sqlx::query("UPDATE inventory_reservations SET expires_at = now() - interval '1 second' WHERE order_id = $1")
        .bind(order)
        .execute(&world.pool)
        .await?;
    Ok(())
}

fn is_out_of_stock(failure: &Failed) -> Result<()> {
    failure.is("INVENTORY_UNAVAILABLE", false)
}

#[tokio::test]
async fn reserving_twice_holds_once_and_releasing_twice_frees_once() -> Result<()> {
    let world = World::start().await?;
    world.stock("lamp", 5).await?;
    world.order("order-1", &[("lamp", 2)]).await?;
    for _ in 0..2 {
        assert!(done(world.reserve("order-1").await)?.success);
        assert_eq!(shelf(&world, "lamp").await?, Shelf::new(5, 2, 0));
    }
    for _ in 0..2 {
        assert!(done(world.release("order-1").await)?.success);
        assert_eq!(shelf(&world, "lamp").await?, Shelf::new(5, 0, 0));
    }
    done(world.reserve("order-1").await)?;
    assert_eq!(shelf(&world, "lamp").await?, Shelf::new(5, 2, 0));
    Ok(())
}

#[tokio::test]
async fn what_is_not_there_cannot_be_reserved() -> Result<()> {
    let world = World::start().await?;
    world.stock("lamp", 1).await?;
    world.order("too-many", &[("lamp", 2)]).await?;
    world.order("unheard-of", &[("unicorn", 1)]).await?;
    for order in ["too-many", "unheard-of"] {
        is_out_of_stock(&failed(world.reserve(order).await)?).context(order)?;
        done(world.release(order).await)?;
    }
    failed(world.reserve("no-such-order").await)?.is("VALIDATION_ERROR", false)?;
    done(world.release("no-such-order").await)?;
    assert_eq!(shelf(&world, "lamp").await?, Shelf::new(1, 0, 0));
    Ok(())
}

#[tokio::test]
async fn one_of_50_orders_gets_the_last_one() -> Result<()> {
    let world = World::start().await?;
    world.stock("lamp", 1).await?;
    let orders: Vec<String> = (0..50).map(|number| format!("order-{number}")).collect();
    for order in &orders {
        world.order(order, &[("lamp", 1)]).await?;
    }
    let results = join_all(orders.iter().map(|order| world.reserve(order))).await;
    let mut reserved = 0;
    for result in results {
        match result {
            Ok(_) => reserved += 1,
            failure => is_out_of_stock(&failed(failure)?)?,
        }
    }
    assert_eq!(reserved, 1);
    assert_eq!(shelf(&world, "lamp").await?, Shelf::new(1, 1, 0));
    Ok(())
}

#[tokio::test]
async fn an_order_reserves_all_of_its_articles_or_none() -> Result<()> {
    let world = World::start().await?;
    for (sku, on_hand) in [("bed", 5), ("chair", 5), ("desk", 1)] {
        world.stock(sku, on_hand).await?;
    }
    world
        .order("order-1", &[("bed", 1), ("chair", 2), ("desk", 2)])
        .await?;
    let failure = failed(world.reserve("order-1").await)?;
    is_out_of_stock(&failure)?;
    assert!(failure.message.contains("desk"), "{failure:?}");
    for sku in ["bed", "chair", "desk"] {
        assert_eq!(shelf(&world, sku).await?.reserved, 0, "{sku}");
    }
    world
        .order("order-2", &[("bed", 1), ("chair", 2), ("desk", 1)])
        .await?;
    done(world.reserve("order-2").await)?;
    for (sku, reserved) in [("bed", 1), ("chair", 2), ("desk", 1)] {
        assert_eq!(shelf(&world, sku).await?.reserved, reserved, "{sku}");
    }
    Ok(())
}

#[tokio::test]
async fn what_expired_goes_to_the_next_order_unless_it_is_paid() -> Result<()> {
    let world = World::start().await?;
    world.stock("lamp", 2).await?;
    for order in ["paid", "left", "next", "last"] {
        world.order(order, &[("lamp", 1)]).await?;
    }
    done(world.reserve("paid").await)?;
    world.paid("paid").await?;
    done(world.reserve("left").await)?;
    is_out_of_stock(&failed(world.reserve("next").await)?)?;

    let_expire(&world, "paid").await?;
    let_expire(&world, "left").await?;
    done(world.reserve("next").await)?;
    is_out_of_stock(&failed(world.reserve("last").await)?)?;
    assert_eq!(shelf(&world, "lamp").await?, Shelf::new(1, 1, 1));

    // What was taken back is not the old order's to release.
    done(world.release("left").await)?;
    assert_eq!(shelf(&world, "lamp").await?, Shelf::new(1, 1, 1));
    Ok(())
}

#[tokio::test]
async fn reserving_again_renews_the_time() -> Result<()> {
    let world = World::start().await?;
    world.stock("lamp", 1).await?;
    world.order("order-1", &[("lamp", 1)]).await?;
    world.order("order-2", &[("lamp", 1)]).await?;
    done(world.reserve("order-1").await)?;
    let_expire(&world, "order-1").await?;
    done(world.reserve("order-1").await)?;
    is_out_of_stock(&failed(world.reserve("order-2").await)?)
}

#[tokio::test]
async fn a_reservation_that_expired_during_the_charge_is_renewed_if_there_is_stock() -> Result<()> {
    let world = World::start().await?;
    world.stock("lamp", 1).await?;
    for order in ["slow", "quick"] {
        world.order(order, &[("lamp", 1)]).await?;
    }
    done(world.reserve("slow").await)?;
    let transaction = world.charged("slow").await?;
    let_expire(&world, "slow").await?;
    done(world.reserve("quick").await)?;
    let mark_paid = async || {
        world
            .set_status("slow", OrderStatus::Paid, Some(&transaction))
            .await
    };

    is_out_of_stock(&failed(mark_paid().await)?)?;
    assert_eq!(world.order_status("slow").await?, "pending");
    assert_eq!(shelf(&world, "lamp").await?, Shelf::new(1, 1, 0));

    done(world.release("quick").await)?;
    done(mark_paid().await)?;
    assert_eq!(world.order_status("slow").await?, "paid");
    assert_eq!(shelf(&world, "lamp").await?, Shelf::new(0, 0, 1));
    Ok(())
}

#[tokio::test]
async fn paying_takes_the_stock_once_and_releasing_puts_it_back_once() -> Result<()> {
    let world = World::start().await?;
    world.stock("lamp", 5).await?;
    world.order("order-1", &[("lamp", 2)]).await?;
    done(world.reserve("order-1").await)?;
    let transaction = world.paid("order-1").await?;
    done(
        world
            .set_status("order-1", OrderStatus::Paid, Some(&transaction))
            .await,
    )?;
    assert_eq!(shelf(&world, "lamp").await?, Shelf::new(3, 0, 2));
    for _ in 0..2 {
        done(world.release("order-1").await)?;
        assert_eq!(shelf(&world, "lamp").await?, Shelf::new(5, 0, 0));
    }
    Ok(())
}

/// What may happen to an order's stock.
#[derive(Debug, Clone, Copy)]
enum Step {
    Reserve,
    Release,
    Pay,
    Expire,
}

/// Orders of several articles each, written in different orders, all of them charged.
struct Shop {
    world: World,
    articles: Vec<String>,
    orders: Vec<String>,
}

impl Shop {
    const ON_HAND: i32 = 6;

    /// Names of its own, so that several shops fit into one database.
    async fn open(world: World, name: &str, orders: usize) -> Result<Self> {
        let articles: Vec<String> = (0..4)
            .map(|number| format!("{name}-article-{number}"))
            .collect();
        let orders: Vec<String> = (0..orders)
            .map(|number| format!("{name}-order-{number}"))
            .collect();
        for sku in &articles {
            world.stock(sku, Self::ON_HAND).await?;
        }
        for (number, order) in orders.iter().enumerate() {
            let lines: Vec<(&str, i32)> = (0..3)
                .map(|line| {
                    (
                        articles[(number * 3 + line * 5) % articles.len()].as_str(),
                        1 + i32::from(line == 1),
                    )
                })
                .collect();
            world.order(order, &lines).await?;
            sqlx::query(
                "INSERT INTO charges (subject_kind, subject_id, purpose, parameters_hash, user_id,
                                      amount_minor, currency, payment_method, state, gateway_id)
                 VALUES ('order', $1, 'payment/1', '', 'ana', 1, 'USD', 'card', 'succeeded', $1)",
            )
            .bind(order)
            .execute(&world.pool)
            .await?;
        }
        Ok(Self {
            world,
            articles,
            orders,
        })
    }

    /// Does a step. It may find too little stock; anything else would be a defect.
    async fn step(&self, order: usize, step: Step) -> Result<()> {
        let order = self.orders[order % self.orders.len()].as_str();
        let failure = match step {
            Step::Reserve => self.world.reserve(order).await.err(),
            Step::Release => self.world.release(order).await.err(),
            Step::Pay => self
                .world
                .set_status(order, OrderStatus::Paid, Some(order))
                .await
                .err(),
            Step::Expire => return let_expire(&self.world, order).await,
        };
        match failure {
            None => Ok(()),
            Some(error) => {
                is_out_of_stock(&failed::<()>(Err(error))?).context(format!("{step:?} of {order}"))
            }
        }
    }

    async fn balances(&self) -> Result<()> {
        for sku in &self.articles {
            balances(&self.world, sku, Self::ON_HAND).await?;
        }
        Ok(())
    }
}

#[tokio::test]
async fn orders_of_several_articles_never_wait_for_each_other_in_a_circle() -> Result<()> {
    let shop = Shop::open(World::start().await?, "busy", 16).await?;
    let workers = (0..16_usize).map(|worker| {
        let shop = &shop;
        async move {
            for round in 0..12 {
                let steps = [
                    Step::Reserve,
                    Step::Expire,
                    Step::Reserve,
                    Step::Pay,
                    Step::Release,
                ];
                // Two workers share each order, and run through the steps out of step.
                shop.step(worker / 2 + round, steps[(worker + round) % steps.len()])
                    .await?;
            }
            Ok(())
        }
    });
    let results: Vec<Result<()>> = join_all(workers).await;
    for result in results {
        result?;
    }
    shop.balances().await
}

#[test]
fn stock_is_never_lost_nor_made_whatever_happens_to_it() -> Result<()> {
    let runtime = Runtime::new()?;
    let world = runtime.block_on(World::start())?;
    let shop = runtime.block_on(Shop::open(world, "any", 4))?;
    let steps = prop_oneof![
        Just(Step::Reserve),
        Just(Step::Release),
        Just(Step::Pay),
        Just(Step::Expire)
    ];
    let sequences = prop::collection::vec((0_usize..4, steps), 1..24);
    let walk = |sequence: Vec<(usize, Step)>| {
        let walked = runtime.block_on(async {
            // Every sequence begins with a full shelf, so that a failing one stands for itself.
            for order in &shop.orders {
                done(shop.world.release(order).await)?;
            }
            for (order, step) in sequence {
                shop.step(order, step).await?;
                shop.balances().await?;
            }
            Ok::<_, anyhow::Error>(())
        });
        walked.map_err(|error| TestCaseError::fail(format!("{error:#}")))
    };
    let mut runner = TestRunner::new(Config {
        cases: 32,
        failure_persistence: None,
        ..Config::default()
    });
    Ok(runner.run(&sequences, walk)?)
}

#[tokio::test]
async fn expiring_twice_frees_once_and_leaves_what_has_time_or_is_paid() -> Result<()> {
    let world = World::start().await?;
    world.stock("lamp", 5).await?;
    for order in ["late", "in-time"] {
        world.order(order, &[("lamp", 2)]).await?;
        done(world.reserve(order).await)?;
    }
    let_expire(&world, "late").await?;
    for reservations in [1, 0] {
        let expired = done(world.inventory.expire(json("{}")).await)?;
        assert_eq!((expired.reservations, expired.more), (reservations, false));
        assert_eq!(shelf(&world, "lamp").await?, Shelf::new(5, 2, 0));
    }
    // It is too late to give back what was taken back.
    done(world.release("late").await)?;
    assert_eq!(shelf(&world, "lamp").await?, Shelf::new(5, 2, 0));
    Ok(())
}

#[tokio::test]
async fn expires_so_many_articles_at_once_and_says_that_there_may_be_more() -> Result<()> {
    let world = World::start().await?;
    for sku in ["lamp", "desk", "rug"] {
        world.stock(sku, 1).await?;
        world.order(sku, &[(sku, 1)]).await?;
        done(world.reserve(sku).await)?;
        let_expire(&world, sku).await?;
    }
    let mut rounds = Vec::new();
    for _ in 0..2 {
        let input = json(r#"{"limit":2}"#);
        let expired = done(world.inventory.expire(input).await)?;
        rounds.push((expired.articles, expired.more));
    }
    assert_eq!(rounds, [(2, true), (1, false)]);
    failed(world.inventory.expire(json(r#"{"limit":0}"#)).await)?.is("VALIDATION_ERROR", false)?;
    Ok(())
}
