-- What a user agreed to pay regularly. The billing process moves the dates, the counter and the status.
CREATE TABLE subscriptions (
    id                   text PRIMARY KEY,
    user_id              text NOT NULL,
    status               text NOT NULL DEFAULT 'active'
                         CONSTRAINT subscriptions_status_known
                         CHECK (status IN ('active', 'suspended', 'cancelled', 'expired')),
    amount_minor         bigint NOT NULL CONSTRAINT subscriptions_amount_positive CHECK (amount_minor > 0),
    currency             text NOT NULL CONSTRAINT subscriptions_currency_known CHECK (currency IN ('USD', 'EUR', 'INR')),
    billing_period       text NOT NULL
                         CONSTRAINT subscriptions_period_known CHECK (billing_period IN ('weekly', 'monthly', 'yearly')),
    payment_method       text NOT NULL
                         CONSTRAINT subscriptions_method_known CHECK (payment_method IN ('card', 'upi', 'wallet')),
    failed_payment_count integer NOT NULL DEFAULT 0
                         CONSTRAINT subscriptions_failures_not_negative CHECK (failed_payment_count >= 0),
    last_payment_date    timestamptz,
    next_payment_date    timestamptz,
    created_at           timestamptz NOT NULL DEFAULT now(),
    updated_at           timestamptz NOT NULL DEFAULT now()
);
