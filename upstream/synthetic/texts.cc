#include "upstream/synthetic/texts.h"

#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace sluice::synthetic {
namespace {

// Words that descriptions of packages and updates are made of, by language.
constexpr std::array<absl::string_view, kLanguages.size()> kWords = {
    "Bibliothek Werkzeuge für den Zugriff auf Dateien und Dienste Entwicklung Laufzeit Sammlung "
    "Sicherheitsaktualisierung behebt Fehler in einem Paket Netzwerk Verwaltung Oberfläche "
    "gemeinsame Daten Unterstützung verschiedene Formate einfacher schneller Betrachter von mit",
    "library tools for accessing files and services development runtime collection security "
    "update fixes issue in package network management interface shared data support several "
    "formats simple fast viewer of with the a documentation headers static debugging symbols "
    "command line client server daemon plugin module bindings parser compiler framework graphics "
    "audio video image text editor terminal desktop kernel driver firmware protocol "
    "implementation encryption signature certificate authentication database query index search "
    "archive compression backup synchronization monitoring logging configuration scheduler queue "
    "cache proxy gateway mail web browser calendar chat game emulator simulator solver matrix "
    "algebra statistics plotting geometry maps weather astronomy chemistry biology genome "
    "sequence alignment speech recognition translation font theme icons wallpaper localization "
    "testing coverage profiler tracing sandbox container virtual machine cluster storage volume "
    "partition filesystem encoding conversion utilities common examples extension remote local "
    "arbitrary code execution denial service overflow memory corruption information disclosure",
    "biblioteca herramientas para acceder a archivos y servicios desarrollo colección seguridad "
    "actualización corrige errores en un paquete red administración interfaz datos compartidos",
    "bibliothèque outils pour accéder aux fichiers et services développement collection sécurité "
    "mise à jour corrige erreurs dans un paquet réseau gestion interface données partagées",
    "libreria strumenti per accedere ai file e servizi sviluppo raccolta sicurezza aggiornamento "
    "corregge errori in un pacchetto rete gestione interfaccia dati condivisi supporto formati",
    "ライブラリ ファイル サービス 開発 ツール セキュリティ 更新 修正 パッケージ ネットワーク 管理 "
    "共有 データ",
    "bibliotheek gereedschap voor toegang tot bestanden en diensten ontwikkeling verzameling "
    "beveiliging bijwerking verhelpt fouten in een pakket netwerk beheer gedeelde gegevens",
    "biblioteka narzędzia do dostępu do plików i usług rozwój zbiór bezpieczeństwo aktualizacja "
    "naprawia błędy w pakiecie sieć zarządzanie interfejs wspólne dane obsługa formatów",
    "biblioteca ferramentas para acessar arquivos e serviços desenvolvimento coleção segurança "
    "atualização corrige erros em um pacote rede gerenciamento interface dados compartilhados",
    "库 工具 访问 文件 服务 开发 运行 集合 安全 更新 修复 软件包 网络 管理 界面 共享 数据 支持 "
    "格式"};

constexpr std::array<absl::string_view, 24> kSyllables = {
    "kar", "sto", "lin", "ver", "mo",  "tra", "pix", "net", "gra", "ob",  "sen", "dal",
    "fi",  "zu",  "cor", "ble", "qua", "ri",  "ten", "har", "lo",  "mas", "ni",  "py"};

constexpr std::array<absl::string_view, 8> kEndings = {"",      "",       "",      "-tools",
                                                       "-data", "-utils", "-perl", "-java"};

const std::vector<absl::string_view>& WordsOf(size_t language) {
  static const auto* const kSplit = [] {
    auto* split = new std::array<std::vector<absl::string_view>, kLanguages.size()>;
    for (size_t i = 0; i < kLanguages.size(); ++i) {
      (*split)[i] = absl::StrSplit(kWords[i], ' ');
    }
    return split;
  }();
  return (*kSplit)[language];
}

}  // namespace

std::string PackageName(Draws& draws) {
  std::string name = draws.Percent(40) ? "lib" : "";
  for (uint64_t left = draws.Between(2, 3); left > 0; --left) {
    absl::StrAppend(&name, kSyllables[draws.Below(kSyllables.size())]);
  }
  if (draws.Percent(20)) absl::StrAppend(&name, draws.Between(2, 9));
  absl::StrAppend(&name, kEndings[draws.Below(kEndings.size())]);
  return name;
}

std::string Sentence(Draws& draws, size_t language, size_t bytes_min) {
  const std::vector<absl::string_view>& words = WordsOf(language);
  std::string sentence(words[draws.Below(words.size())]);
  while (sentence.size() < bytes_min) {
    absl::StrAppend(&sentence, " ", words[draws.Below(words.size())]);
  }
  return sentence;
}

}  // namespace sluice::synthetic
