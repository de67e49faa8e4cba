/* base/list.h: circular doubly linked list whose links are embedded in the members. */
#ifndef BASE_LIST_H
#define BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct list {
	struct list *prev, *next;
};

#define container_of(ptr, type, member) ((type *)((char *)(ptr) - offsetof(type, member)))

static inline void list_init(struct list *l)
{
	l->prev = l->next = l;
}

static inline bool list_empty(const struct list *head)
{
	return head->next == head;
}

/* Whether a link that was list_init()ed stands in a list now. */
static inline bool list_linked(const struct list *l)
{
	return l->next != l;
}

static inline void list_append(struct list *head, struct list *l)
{
	l->prev = head->prev;
	l->next = head;
	head->prev->next = l;
	head->prev = l;
}

/* Takes `l` out of its list, if it is in one. */
static inline void list_remove(struct list *l)
{
	l->prev->next = l->next;
	l->next->prev = l->prev;
	list_init(l);
}

/* Moves all of `from` into `head`, which is initialised here. */
static inline void list_take(struct list *head, struct list *from)
{
	list_init(head);
	if (list_empty(from))
		return;
	*head = *from;
	head->next->prev = head->prev->next = head;
	list_init(from);
}

/* Moves all of `from` to the front of `head`. */
static inline void list_prepend_all(struct list *head, struct list *from)
{
	if (list_empty(from))
		return;
	from->prev->next = head->next;
	head->next->prev = from->prev;
	head->next = from->next;
	from->next->prev = head;
	list_init(from);
}

/* The current member may be removed while walking, no other. */
#define list_for_each(pos, tmp, head) \
	for ((pos) = (head)->next, (tmp) = (pos)->next; (pos) != (head); \
	     (pos) = (tmp), (tmp) = (pos)->next)

#endif
