/* Order pixels by value: radix sort, least significant digit first (Knuth, The Art of Computer Programming 3, 5.2.5). */
#include "order.h"

#include <string.h>

#define DIGIT_BITS 11
#define DIGITS 3
#define BUCKETS (1 << DIGIT_BITS)

/* Return an integer that orders as the float does; -0 is 0. */
static uint32_t sort_key(float value)
{
    uint32_t bits;
    value += 0.0f;
    memcpy(&bits, &value, sizeof bits);
    return bits & 0x80000000u ? ~bits : bits | 0x80000000u;
}

static uint32_t digit(uint64_t entry, int number)
{
    return (uint32_t)(entry >> (32 + number * DIGIT_BITS)) & (BUCKETS - 1);
}

void order_by_value(const float *values, int32_t count, uint64_t *scratch, int32_t *order)
{
    uint64_t *from = scratch, *to = scratch + count;
    for (int32_t i = 0; i < count; i++)
        from[i] = (uint64_t)sort_key(values[i]) << 32 | (uint32_t)i;
    for (int number = 0; number < DIGITS; number++) {
        int32_t start[BUCKETS + 1] = {0};
        for (int32_t i = 0; i < count; i++)
            start[digit(from[i], number) + 1]++;
        for (int bucket = 0; bucket < BUCKETS; bucket++)
            start[bucket + 1] += start[bucket];
        for (int32_t i = 0; i < count; i++)
            to[start[digit(from[i], number)]++] = from[i];
        uint64_t *swap = from;
        from = to;
        to = swap;
    }
    for (int32_t i = 0; i < count; i++)
        order[i] = (int32_t)(uint32_t)from[i];
}

/* Write each value's dense rank (0 for the smallest, one more for each larger value); return how many there are. */
int32_t dense_ranks(const float *values, int32_t count, uint64_t *scratch, int32_t *order, int32_t *ranks)
{
    order_by_value(values, count, scratch, order);
    int32_t rank = 0;
    for (int32_t i = 0; i < count; i++) {
        rank += i > 0 && values[order[i]] != values[order[i - 1]];
        ranks[order[i]] = rank;
    }
    return count > 0 ? rank + 1 : 0;
}
