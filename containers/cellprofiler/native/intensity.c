/* What an object's pixels add up to, and the order statistics of its intensities.
 *
 * Pixels come grouped by object, in the order of the rows within each, so that each sum is added up in the order in
 * which numpy.bincount adds it.
 */
#include <math.h>

#include "order.h"

enum { SUM, SQUARES, LEAST, MOST, MOMENT_X, MOMENT_Y, SUMS };

/* Write SUMS doubles an object (squares: of the distances from the mean), the place of its brightest pixel among all
 * `values`, and whether another one is as bright. An object without pixels has zeros. */
void intensity(const int64_t *starts, int64_t objects, const float *values, const int64_t *x, const int64_t *y,
               double *sums, int64_t *brightest, int32_t *tied)
{
    for (int64_t object = 0; object < objects; object++) {
        int64_t start = starts[object], end = starts[object + 1];
        double own[SUMS] = {0};
        brightest[object] = start;
        tied[object] = 0;
        for (int64_t i = start; i < end; i++) {
            double value = values[i];
            own[SUM] += value;
            own[MOMENT_X] += (double)x[i] * value;
            own[MOMENT_Y] += (double)y[i] * value;
            own[LEAST] = i == start || value < own[LEAST] ? value : own[LEAST];
            if (i == start || value > own[MOST]) {
                own[MOST] = value;
                brightest[object] = i;
                tied[object] = 0;
            } else if (value == own[MOST]) {
                tied[object] = 1;
            }
        }
        double mean = own[SUM] / (double)(end - start);
        for (int64_t i = start; i < end; i++)
            own[SQUARES] += (values[i] - mean) * (values[i] - mean);
        for (int k = 0; k < SUMS; k++)
            sums[SUMS * object + k] = own[k];
    }
}

/* Write the values of each object in ascending order. `scratch` holds two words and `order` one for each value. */
void sort_objects(const int64_t *starts, int64_t objects, const float *values, uint64_t *scratch, int32_t *order,
                  float *sorted)
{
    for (int64_t object = 0; object < objects; object++) {
        int64_t start = starts[object], count = starts[object + 1] - start;
        order_by_value(values + start, (int32_t)count, scratch, order);
        for (int64_t i = 0; i < count; i++)
            sorted[start + i] = values[start + order[i]];
    }
}

/* Write for each object the distances from its median of ranks [count / 2] and one more (or the same, if there is no
 * more), counted from the least. Distances grow to both sides of the median: two pointers walk outwards from it. */
void middle_distances(const int64_t *starts, int64_t objects, const float *sorted, const double *median, double *low,
                      double *high)
{
    for (int64_t object = 0; object < objects; object++) {
        int64_t start = starts[object], end = starts[object + 1], right = start;
        while (right < end && sorted[right] < median[object])
            right++;
        int64_t left = right - 1, rank = (end - start) / 2;
        low[object] = high[object] = 0.0;
        for (int64_t k = 0; k <= rank + 1 && k < end - start; k++) {
            double below = left >= start ? fabs(sorted[left] - median[object]) : INFINITY;
            double above = right < end ? fabs(sorted[right] - median[object]) : INFINITY;
            high[object] = below < above ? below : above;
            below < above ? left-- : right++;
            if (k <= rank)
                low[object] = high[object];
        }
    }
}
