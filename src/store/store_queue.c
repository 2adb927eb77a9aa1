/* SPDX-License-Identifier: Apache-2.0 */
#include "store/store_queue.h"

void store_queue_push_back(struct store_queue *queue, struct store_job *job)
{
	job->next = NULL;
	job->previous = queue->last;
	if (queue->last)
		queue->last->next = job;
	else
		queue->first = job;
	queue->last = job;
	queue->count++;
}

void store_queue_push_front(struct store_queue *queue, struct store_job *job)
{
	job->previous = NULL;
	job->next = queue->first;
	if (queue->first)
		queue->first->previous = job;
	else
		queue->last = job;
	queue->first = job;
	queue->count++;
}

void store_queue_take_out(struct store_queue *queue, struct store_job *job)
{
	if (job->previous)
		job->previous->next = job->next;
	else
		queue->first = job->next;
	if (job->next)
		job->next->previous = job->previous;
	else
		queue->last = job->previous;
	queue->count--;
}
