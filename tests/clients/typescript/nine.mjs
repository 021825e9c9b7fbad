// Starts each of the nine workflows from TypeScript's own Temporal client, by the contract's names and
// payloads; signals, queries, updates and reads results. Beside `partner dev --json`, whose endpoints are
// in the environment: TEMPORAL_ADDRESS, TEMPORAL_NAMESPACE, TEMPORAL_TASK_QUEUE, DATABASE_URL.
import assert from 'node:assert/strict';
import { test, before, after } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { Client, Connection, WorkflowFailedError } from '@temporalio/client';
import pg from 'pg';

const { TEMPORAL_ADDRESS, TEMPORAL_NAMESPACE, TEMPORAL_TASK_QUEUE: taskQueue, DATABASE_URL } = process.env;

let connection, client, database;

before(async () => {
  connection = await Connection.connect({ address: TEMPORAL_ADDRESS });
  client = new Client({ connection, namespace: TEMPORAL_NAMESPACE });
  database = new pg.Client({ connectionString: DATABASE_URL });
  await database.connect();
  await database.query(`
    INSERT INTO users (id, email, name, status) VALUES ('ts-ana', 'ts-ana@example.com', 'Ana', 'active');
    INSERT INTO inventory (sku, on_hand) VALUES ('ts-chair', 2);
    INSERT INTO orders (id, user_id, amount_minor, currency)
      VALUES ('ts-order', 'ts-ana', 4999, 'EUR'), ('ts-called-off', 'ts-ana', 4999, 'EUR');
    INSERT INTO order_items (order_id, sku, quantity, unit_price_minor)
      VALUES ('ts-order', 'ts-chair', 1, 4999), ('ts-called-off', 'ts-chair', 1, 4999)`);
});

after(async () => {
  await database.end();
  await connection.close();
});

const start = (type, workflowId, input) => client.workflow.start(type, { taskQueue, workflowId, args: [input] });

const startWithSignal = (type, workflowId, input, signal, ...signalArgs) =>
  client.workflow.signalWithStart(type, { taskQueue, workflowId, args: [input], signal, signalArgs });

/** Asks until it is so. */
async function until(what, probe) {
  for (let tries = 0; tries < 600; tries += 1) {
    if (await probe()) return;
    await pause(100);
  }
  assert.fail(`${what}: not within a minute`);
}

/** What every workflow answers. */
async function answers(handle) {
  const status = await handle.query('getStatus');
  const progress = await handle.query('getProgress');
  const details = await handle.query('getDetails');
  assert.equal(typeof status.step, 'string');
  assert.ok(progress.percent >= 0 && progress.percent <= 100, JSON.stringify(progress));
  assert.equal(typeof details, 'object');
  return { status: status.status, details };
}

const property = (title) => ({
  title,
  description: 'A quiet flat with a view over the lake. '.repeat(6),
  price: 450000.5,
  location: { address: 'Seestrasse 1', city: 'Zug', state: 'ZG' },
  images: [1, 2, 3, 4, 5].map((n) => `https://cdn.example.com/${n}.jpg`),
  bedrooms: 2,
  bathrooms: 1.5,
  area: 85,
});

/** A listing that waits for a reviewer. */
async function underReview(listingId) {
  const handle = await start('listingApprovalWorkflow', `listing-approval-${listingId}`, {
    listingId,
    userId: 'ts-ana',
    propertyData: property(`A flat by the lake, ${listingId}`),
  });
  await until('under review', async () => (await handle.query('getDetails')).deadline);
  return handle;
}

test('sendNotificationWorkflow', async () => {
  const input = { userId: 'ts-ana', message: 'Hello', type: 'info' };
  const handle = await start('sendNotificationWorkflow', 'notification-ts-ana-1', input);
  const result = await handle.result();
  assert.deepEqual([result.success, result.emailSent, result.notificationProcessed], [true, true, true]);
  assert.equal((await answers(handle)).status, 'completed');
});

test('userOnboardingWorkflow', async () => {
  const input = { userId: 'ts-noa', email: 'ts-noa@example.com', name: 'Noa' };
  const handle = await start('userOnboardingWorkflow', 'onboarding-ts-noa', input);
  const { success, userId, message } = await handle.result();
  assert.deepEqual([success, userId, typeof message], [true, 'ts-noa', 'string']);
  await answers(handle);
});

test('processPaymentWorkflow', async () => {
  const input = { orderId: 'ts-order', userId: 'ts-ana', amount: 49.99, currency: 'EUR', paymentMethod: 'card' };
  const handle = await start('processPaymentWorkflow', 'payment-ts-order', input);
  const result = await handle.result();
  assert.deepEqual([result.success, result.orderId, result.amount, result.currency], [true, 'ts-order', 49.99, 'EUR']);
  assert.equal(typeof result.transactionId, 'string');
  await answers(handle);
});

test('processPaymentWorkflow, called off: the failure type is the code', async () => {
  const input = { orderId: 'ts-called-off', userId: 'ts-ana', amount: 49.99, currency: 'EUR', paymentMethod: 'card' };
  const id = 'payment-ts-called-off';
  const handle = await startWithSignal('processPaymentWorkflow', id, input, 'cancelPayment', 'not any more');
  const error = await handle.result().then(assert.fail, (error) => error);
  assert.ok(error instanceof WorkflowFailedError, String(error));
  assert.equal(error.cause.type, 'CANCELLED');
});

test('processPaymentWorkflow, a field is missing: VALIDATION_ERROR at once', async () => {
  const handle = await start('processPaymentWorkflow', 'payment-ts-broken', { orderId: 'ts-broken' });
  const error = await handle.result().then(assert.fail, (error) => error);
  assert.equal(error.cause.type, 'VALIDATION_ERROR');
});

test('subscriptionPaymentWorkflow', async () => {
  const input = { subscriptionId: 'ts-none', userId: 'ts-ana', amount: 9.99, currency: 'EUR', billingPeriod: 'monthly' };
  const handle = await start('subscriptionPaymentWorkflow', 'subscription-payment-ts-none-2026-12-01', input);
  // There is no such subscription: the answer is the contract's, whichever way it fails.
  const outcome = await handle.result().then((result) => result.success, (error) => error.cause.type);
  assert.ok(outcome === false || outcome === 'VALIDATION_ERROR', String(outcome));
  await answers(handle);
});

test('listingApprovalWorkflow: approve, reject, decide', async () => {
  const approved = await underReview('ts-flat-1');
  assert.equal((await answers(approved)).status, 'in_progress');
  await approved.signal('approve', 'Lovely');
  const first = await approved.result();
  assert.deepEqual([first.success, first.status, first.reviewComment], [true, 'approved', 'Lovely']);

  const rejected = await underReview('ts-flat-2');
  await rejected.signal('reject', 'The photos are dark');
  assert.equal((await rejected.result()).status, 'rejected');

  const decided = await underReview('ts-flat-3');
  const decision = await decided.executeUpdate('decide', { args: [{ decision: 'approve', reviewer: 'rita' }] });
  assert.deepEqual([decision.decision, decision.reviewer], ['approve', 'rita']);
  assert.equal((await decided.result()).status, 'approved');
});

test('listingExpirationWorkflow', async () => {
  const review = await underReview('ts-flat-4');
  await review.signal('approve');
  await review.result();
  const input = { listingId: 'ts-flat-4', userId: 'ts-ana', expirationDate: '2026-01-01T00:00:00Z' };
  const handle = await start('listingExpirationWorkflow', 'listing-expiration-ts-flat-4', input);
  const { success, listingId, status } = await handle.result();
  assert.deepEqual([success, listingId, status], [true, 'ts-flat-4', 'expired']);
  await answers(handle);
});

test('dailyReportWorkflow: pause, resume', async () => {
  const input = { reportType: 'sales', recipients: ['ts-ana@example.com'] };
  const handle = await startWithSignal('dailyReportWorkflow', 'daily-report-sales-ts', input, 'pause');
  await handle.signal('resume');
  const { success, reportType, reportUrl, recipientCount } = await handle.result();
  assert.deepEqual([success, reportType, typeof reportUrl, recipientCount], [true, 'sales', 'string', 1]);
  await answers(handle);
});

test('dataCleanupWorkflow: pause, updateConfig, resume', async () => {
  await database.query(`
    INSERT INTO application_logs (level, source, message, created_at)
    SELECT 'info', 'ts', 'old', now() - interval '400 days' FROM generate_series(1, 20)`);
  const input = { cleanupType: 'logs', retentionDays: 365 };
  const handle = await startWithSignal('dataCleanupWorkflow', 'cleanup-logs-ts', input, 'pause');
  await handle.signal('updateConfig', { batchSize: 7, pauseMs: 0 });
  await handle.signal('resume');
  const { success, cleanupType, itemsDeleted, backupUrl } = await handle.result();
  assert.deepEqual([success, cleanupType, typeof backupUrl], [true, 'logs', 'string']);
  assert.ok(itemsDeleted >= 20, String(itemsDeleted));
  await answers(handle);
});

test('reminderWorkflow', async () => {
  const input = {
    userId: 'ts-ana',
    reminderType: 'viewing',
    message: 'You meet at the lake',
    scheduledTime: '2100-01-01T09:00:00Z',
  };
  const handle = await start('reminderWorkflow', 'reminder-viewing-ts-ana-2100-01-01T09:00:00Z', input);
  await until('waiting', async () => (await answers(handle)).status === 'in_progress');
  await handle.signal('reschedule', '2020-01-01T09:00:00Z');
  const { success, userId, reminderType, sentAt } = await handle.result();
  assert.deepEqual([success, userId, reminderType, typeof sentAt], [true, 'ts-ana', 'viewing', 'string']);
});
