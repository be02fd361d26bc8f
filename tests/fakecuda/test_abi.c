/* test_abi.c - our declarations have the layouts and numbers of the toolkit's header, where one is.
 */
#include "abi_theirs.h"
#include "test_fake.h"

static const abi_fact ours[] = {
#define S(type)         {"sizeof " #type, sizeof(type)},
#define M(type, member) {#type "." #member, offsetof(type, member)},
#define K(mine, theirs) {#theirs, (size_t)mine},
#include "abi.def"
#define E(code, name, text) {#name, code},
#include "errors.def"
};

Test(abi, agrees_with_the_toolkit) {
    if (abi_n_theirs == 0) cr_skip_test("no CUDA toolkit");
    cr_assert(abi_n_theirs == sizeof ours / sizeof *ours);
    for (size_t i = 0; i < abi_n_theirs; i++) {
        cr_expect(ours[i].value == abi_theirs[i].value, "%s: ours %zu, theirs %zu", ours[i].what,
                  ours[i].value, abi_theirs[i].value);
    }
}
