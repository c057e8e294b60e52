#include "upstream/debian/signature.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <system_error>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/errors.h"
#include "common/status.h"
#include "upstream/debian/run_program.h"

namespace sluice::debian {
namespace {

constexpr absl::string_view kGpgv = "/usr/bin/gpgv";
constexpr absl::string_view kArmorBegin = "-----BEGIN PGP PUBLIC KEY BLOCK-----";
constexpr absl::string_view kArmorEnd = "-----END PGP PUBLIC KEY BLOCK-----";
constexpr absl::string_view kSignedBegin = "-----BEGIN PGP SIGNED MESSAGE-----";
constexpr absl::string_view kSignatureEnd = "-----END PGP SIGNATURE-----";

// A folder of our own, gone in the end.
class Workplace {
 public:
  Workplace() {
    std::string pattern = (std::filesystem::temp_directory_path() / "sluice-gpgv-XXXXXX").string();
    if (mkdtemp(pattern.data()) != nullptr) path_ = pattern;
  }
  ~Workplace() {
    std::error_code ignored;
    if (!path_.empty()) std::filesystem::remove_all(path_, ignored);
  }
  Workplace(const Workplace&) = delete;
  Workplace& operator=(const Workplace&) = delete;

  absl::StatusOr<std::string> Write(absl::string_view name, absl::string_view data) const {
    const std::string path = absl::StrCat(path_, "/", name);
    std::ofstream file(path, std::ios::binary);
    file.write(data.data(), static_cast<std::streamsize>(data.size()));
    file.close();
    if (path_.empty() || !file) return absl::UnavailableError("writing a temporary file");
    return path;
  }

 private:
  std::string path_;
};

absl::Status Refused(absl::string_view name, absl::string_view why) {
  return MakeError(v1::REASON_SOURCE_SIGNATURE, absl::StrCat(name, ": ", why));
}

absl::StatusOr<std::string> ReadKeys(absl::string_view keyring) {
  std::string keys(keyring);
  if (!absl::StrContains(keyring, kArmorBegin)) {
    std::ifstream file(keys, std::ios::binary);
    std::ostringstream bytes;
    bytes << file.rdbuf();
    if (!file) {
      return MakeError(v1::REASON_SOURCE_SIGNATURE,
                       absl::StrCat("keyring ", keyring, " cannot be read"));
    }
    keys = bytes.str();
  }
  if (!absl::StrContains(keys, kArmorBegin)) return keys;
  return Dearmor(keys);
}

// gpgv's own words on why, without its status lines.
std::string WhyRefused(const ProgramResult& result) {
  std::vector<std::string> lines;
  for (const absl::string_view line : absl::StrSplit(result.errors, '\n')) {
    if (!line.empty() && !absl::StrContains(line, "Signature made")) {
      lines.push_back(std::string(absl::StripAsciiWhitespace(line)));
    }
  }
  return lines.empty() ? "gpgv refuses it" : absl::StrCat("gpgv refuses it: ", lines.back());
}

// Whether nothing but the signed message is there.
bool IsSignedAlone(absl::string_view text) {
  const absl::string_view stripped = absl::StripAsciiWhitespace(text);
  if (!absl::StartsWith(stripped, kSignedBegin) || !absl::EndsWith(stripped, kSignatureEnd)) {
    return false;
  }
  // A second message behind the first one would be text around it.
  return stripped.find(kSignedBegin, 1) == absl::string_view::npos &&
         stripped.find(kSignatureEnd) + kSignatureEnd.size() == stripped.size();
}

}  // namespace

absl::StatusOr<std::string> Dearmor(absl::string_view armored) {
  std::string bytes;
  bool inside = false;
  bool headers = false;
  std::string base64;
  for (absl::string_view line : absl::StrSplit(armored, '\n')) {
    line = absl::StripAsciiWhitespace(line);
    // In a deb822 value an empty line is written as a dot.
    if (line == ".") line = "";
    if (line == kArmorBegin) {
      inside = headers = true;
    } else if (line == kArmorEnd) {
      std::string block;
      if (!inside || !absl::Base64Unescape(base64, &block)) {
        return absl::InvalidArgumentError("the armored key block is damaged");
      }
      bytes += block;
      base64.clear();
      inside = false;
    } else if (inside && headers) {
      headers = !line.empty();
    } else if (inside && !absl::StartsWith(line, "=")) {
      absl::StrAppend(&base64, line);
    }
  }
  if (inside || bytes.empty()) return absl::InvalidArgumentError("no complete armored key block");
  return bytes;
}

absl::StatusOr<std::string> VerifyClearSigned(absl::string_view signed_text,
                                              absl::string_view keyring, absl::string_view name) {
  if (!IsSignedAlone(signed_text)) {
    return Refused(name, absl::StrContains(signed_text, kSignedBegin)
                             ? "there is text around the signed part"
                             : "it is not signed");
  }
  const Workplace workplace;
  ASSIGN_OR_RETURN(const std::string keys, ReadKeys(keyring));
  ASSIGN_OR_RETURN(const std::string keyring_path, workplace.Write("keys.gpg", keys));
  ASSIGN_OR_RETURN(const std::string path, workplace.Write("signed", signed_text));
  ASSIGN_OR_RETURN(const ProgramResult result, RunProgram({std::string(kGpgv), "--keyring",
                                                           keyring_path, "--output", "-", path}));
  if (result.exit_code != 0) return Refused(name, WhyRefused(result));
  return result.output;
}

absl::StatusOr<std::string> VerifyDetached(absl::string_view text, absl::string_view signature,
                                           absl::string_view keyring, absl::string_view name) {
  const Workplace workplace;
  ASSIGN_OR_RETURN(const std::string keys, ReadKeys(keyring));
  ASSIGN_OR_RETURN(const std::string keyring_path, workplace.Write("keys.gpg", keys));
  ASSIGN_OR_RETURN(const std::string path, workplace.Write("text", text));
  ASSIGN_OR_RETURN(const std::string signature_path, workplace.Write("signature", signature));
  ASSIGN_OR_RETURN(const ProgramResult result, RunProgram({std::string(kGpgv), "--keyring",
                                                           keyring_path, signature_path, path}));
  if (result.exit_code != 0) return Refused(name, WhyRefused(result));
  return std::string(text);
}

}  // namespace sluice::debian
