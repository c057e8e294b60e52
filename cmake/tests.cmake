include(GoogleTest)

# sluice_test(NAME SOURCES... [LINK LIBRARIES...] [TIMEOUT SECONDS] [ENV NAME=VALUE...]): one gtest binary; each of its tests is a ctest test.
function(sluice_test name)
  cmake_parse_arguments(arg "" "TIMEOUT" "SOURCES;LINK;ENV" ${ARGN})
  if(NOT arg_TIMEOUT)
    set(arg_TIMEOUT 60)
  endif()
  add_executable(${name} ${arg_SOURCES})
  target_link_libraries(${name} PRIVATE ${arg_LINK} sluice_flags GTest::gmock GTest::gtest_main)
  gtest_discover_tests(${name} DISCOVERY_MODE PRE_TEST
    PROPERTIES TIMEOUT ${arg_TIMEOUT} ENVIRONMENT "${arg_ENV}")
endfunction()
