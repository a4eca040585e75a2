/* SPDX-License-Identifier: Apache-2.0 */
/* Implements Node-API's thread-safe functions: queues of events from the core and its threads to JavaScript. */
#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "napi.h"
#include "turn.h"

struct queued {
	struct queued *next;
	void *data;
};

struct napi_threadsafe_function__ {
	struct napi_threadsafe_function__ *next;
	JSValue function;
	napi_threadsafe_function_call_js call;
	void *context;
	struct queued *first, **last;
	size_t count, max;
	int referenced, closing;
};

static struct napi_threadsafe_function__ *posts;
static pthread_mutex_t queue_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t queue_room = PTHREAD_COND_INITIALIZER;
static pthread_t main_thread;
static int wake_fd = -1;

napi_status napi_create_threadsafe_function(napi_env env, napi_value function, napi_value resource, napi_value name, size_t max,
					    size_t threads, void *finalize_data, napi_finalize finalize, void *context,
					    napi_threadsafe_function_call_js call, napi_threadsafe_function *out)
{
	struct napi_threadsafe_function__ *post = calloc(1, sizeof *post);

	(void)env;
	(void)resource;
	(void)name;
	(void)threads;
	(void)finalize_data;
	(void)finalize;
	if (!post)
		return napi_generic_failure;
	if (wake_fd < 0)
		wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	main_thread = pthread_self();
	post->function = JS_DupValue(js, value_of(function));
	post->call = call;
	post->context = context;
	post->max = max;
	post->last = &post->first;
	post->referenced = 1;
	post->next = posts;
	posts = post;
	*out = post;
	return napi_ok;
}

napi_status napi_call_threadsafe_function(napi_threadsafe_function post, void *data, napi_threadsafe_function_call_mode mode)
{
	struct queued *one = malloc(sizeof *one);

	(void)mode;
	if (!one)
		return napi_generic_failure;
	*one = (struct queued){ .data = data };
	pthread_mutex_lock(&queue_lock);
	while (post->max && post->count >= post->max && !post->closing)
		pthread_cond_wait(&queue_room, &queue_lock);
	if (post->closing) {
		pthread_mutex_unlock(&queue_lock);
		free(one);
		return napi_closing;
	}
	*post->last = one;
	post->last = &one->next;
	post->count++;
	pthread_mutex_unlock(&queue_lock);
	if (!pthread_equal(pthread_self(), main_thread))
		eventfd_write(wake_fd, 1);
	return napi_ok;
}

napi_status napi_release_threadsafe_function(napi_threadsafe_function post, napi_threadsafe_function_release_mode mode)
{
	(void)mode;
	pthread_mutex_lock(&queue_lock);
	post->closing = 1;
	post->referenced = 0;
	pthread_cond_broadcast(&queue_room);
	pthread_mutex_unlock(&queue_lock);
	return napi_ok;
}

napi_status napi_ref_threadsafe_function(napi_env env, napi_threadsafe_function post)
{
	(void)env;
	post->referenced = 1;
	return napi_ok;
}

napi_status napi_unref_threadsafe_function(napi_env env, napi_threadsafe_function post)
{
	(void)env;
	post->referenced = 0;
	return napi_ok;
}

/* Returns true if a job, a trigger or a waiting event keeps this process running. */
int core_waits(void)
{
	int waits = 0;

	pthread_mutex_lock(&queue_lock);
	for (struct napi_threadsafe_function__ *post = posts; post; post = post->next)
		waits |= post->referenced || post->first;
	pthread_mutex_unlock(&queue_lock);
	return waits;
}

int core_wake_fd(void)
{
	return wake_fd;
}

/* Passes the events that are waiting to JavaScript. Returns their number. */
int core_deliver(void)
{
	int delivered = 0;

	for (struct napi_threadsafe_function__ *post = posts; post; post = post->next)
		for (;;) {
			struct queued *one;
			int used = env_one.used;
			napi_value function;

			pthread_mutex_lock(&queue_lock);
			one = post->closing ? NULL : post->first;
			if (one) {
				post->first = one->next;
				if (!post->first)
					post->last = &post->first;
				post->count--;
				pthread_cond_signal(&queue_room);
			}
			pthread_mutex_unlock(&queue_lock);
			if (!one)
				break;
			if (hold(&env_one, JS_DupValue(js, post->function), &function) == napi_ok)
				post->call(&env_one, function, post->context, one->data);
			drop(&env_one, used);
			free(one);
			run_jobs();
			delivered++;
		}
	return delivered;
}

/* Handles what the kernel has to report, and returns the milliseconds until the next deadline, or -1. */
int core_turn(int *epoll_fd)
{
	struct reactor *r = env_one.instance ? reactor_of(&env_one) : NULL;

	*epoll_fd = r ? r->epoll_fd : -1;
	return r ? reactor_turn(r) : -1;
}
