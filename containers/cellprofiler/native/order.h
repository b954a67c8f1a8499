/* Order pixels by value. */
#ifndef ORDER_H
#define ORDER_H

#include <stdint.h>

/* Write the positions of `values` in ascending order of value (stable). `scratch` holds 2 * count. No NaN. */
void order_by_value(const float *values, int32_t count, uint64_t *scratch, int32_t *order);

#endif
